// BullMQ on Redis. Best: many at once in one worker, and nothing kept of what is done.
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { inChunks, marks, run } from "../program.mjs";

const connect = () => new Redis({ port: Number(process.env.REDIS_PORT), maxRetriesPerRequest: null });
const settings = { default: {}, best: { concurrency: 100, removeOnComplete: { count: 0 } } };
let queue;

await run({
  install: async () => {},
  open: async () => {
    queue = new Queue("bench", { connection: connect() });
    await queue.waitUntilReady();
  },
  put: (n) => queue.add("bench", { n }),
  putMany: (num) =>
    inChunks(num, 1000, (payloads) => queue.addBulk(payloads.map((data) => ({ name: "bench", data })))),
  work: async (setting) => {
    const mark = marks();
    const worker = new Worker("bench", async (job) => mark(job.data.n), { connection: connect(), ...settings[setting] });
    worker.on("error", (error) => console.error(error));
    await worker.waitUntilReady();
  },
});
