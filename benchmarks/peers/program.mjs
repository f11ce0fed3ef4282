// What every program of a queue written for Node can be told to do. Its twin in Python, program.py, tells what.
import { openSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const NUM_WARM = 50;

// Sixteen bytes for each job: its number, and the moment in nanoseconds of the monotonic clock.
export function marks() {
  const file = openSync(process.env.MARKS, "a");
  return (number) => {
    const bytes = Buffer.alloc(16);
    bytes.writeBigInt64LE(BigInt(number), 0);
    bytes.writeBigInt64LE(process.hrtime.bigint(), 8);
    writeSync(file, bytes);
  };
}

export async function inChunks(num, size, put) {
  for (let at = 0; at < num; at += size) {
    await put(Array.from({ length: Math.min(size, num - at) }, () => ({ n: 1 })));
  }
}

const verbs = {
  async install(queue) {
    await queue.install();
  },
  async fill(queue, num) {
    await queue.open();
    const beganAt = performance.now();
    await queue.putMany(Number(num));
    console.log((performance.now() - beganAt) / 1000);
  },
  async trickle(queue, num) {
    await queue.open();
    for (let each = 0; each < NUM_WARM; each++) await queue.put(1);
    const beganAt = performance.now();
    for (let each = 0; each < Number(num); each++) await queue.put(1);
    console.log((performance.now() - beganAt) / 1000);
  },
  async tick(queue, num, perSec) {
    const mark = marks();
    await queue.open();
    for (let each = 0; each < NUM_WARM; each++) await queue.put(-1);
    const beganAt = performance.now();
    for (let number = 0; number < Number(num); number++) {
      await sleep(Math.max(0, beganAt + (number / Number(perSec)) * 1000 - performance.now()));
      mark(number);
      await queue.put(number);
    }
  },
  async work(queue, setting) {
    await queue.work(setting);
    await new Promise(() => setInterval(() => {}, 1000));
  },
};

export async function run(queue) {
  const [verb, ...args] = process.argv.slice(2);
  await verbs[verb](queue, ...args);
  process.exit(0);
}
