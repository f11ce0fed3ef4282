// pg-boss. Best: batches of 500, woken by NOTIFY, no pause while batches come back full, two loops in the process.
import { PgBoss } from "pg-boss";
import { inChunks, marks, run } from "../program.mjs";

const settings = {
  default: {},
  best: { batchSize: 500, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true, localConcurrency: 2 },
};
let boss;

const start = async (options) => {
  boss = new PgBoss({ connectionString: process.env.PEER_URL, ...options });
  boss.on("error", (error) => console.error(error));
  boss.on("warning", () => {});
  await boss.start();
};

await run({
  install: async () => {
    await start({});
    await boss.createQueue("bench", { notify: process.env.SETTING === "best" });
  },
  open: () => start({ supervise: false, schedule: false }),
  put: (n) => boss.send("bench", { n }),
  putMany: (num) => inChunks(num, 5000, (payloads) => boss.insert("bench", payloads.map((data) => ({ data })))),
  work: async (setting) => {
    const mark = marks();
    await start({ useListenNotify: setting === "best" });
    await boss.work("bench", settings[setting], async (jobs) => {
      for (const { data } of jobs) mark(data.n);
    });
  },
});
