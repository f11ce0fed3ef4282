// graphile-worker. Best: the settings of its own performance test (local queue, completions in batches).
import { makeWorkerUtils, run as runWorker, runMigrations } from "graphile-worker";
import { inChunks, marks, run } from "../program.mjs";

const silent = { logger: new (await import("graphile-worker")).Logger(() => () => {}) };
const connection = { connectionString: process.env.PEER_URL, ...silent };
const settings = {
  default: {},
  best: {
    concurrentJobs: 24,
    maxPoolSize: 26,
    localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
};
let utils;

await run({
  install: () => runMigrations(connection),
  open: async () => (utils = await makeWorkerUtils(connection)),
  put: (n) => utils.addJob("bench", { n }),
  putMany: (num) =>
    inChunks(num, 5000, (payloads) =>
      utils.addJobs(payloads.map((payload) => ({ identifier: "bench", payload }))),
    ),
  work: async (setting) => {
    const mark = marks();
    const { concurrentJobs, ...worker } = settings[setting];
    await runWorker({
      ...silent,
      noHandleSignals: true,
      preset: { worker: { connectionString: process.env.PEER_URL, ...(concurrentJobs && { concurrentJobs }), ...worker } },
      taskList: { bench: async ({ n }) => mark(n) },
    });
  },
});
