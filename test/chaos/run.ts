import { LONG, SHORT, soak } from './soak.ts';

const minutes = Number(process.env.SOAK_MINUTES ?? 60);
const { record, folder, ...result } = await soak({
  minutes,
  replicas: 2,
  namespaces: Number(process.env.SOAK_NAMESPACES ?? 12),
  seed: Number(process.env.SOAK_SEED ?? 1),
  pace: process.env.SOAK_SHORT ? SHORT : LONG,
  dist: process.env.SOAK_DIST,
  tell: (line) => console.log(line),
});
console.log(folder, JSON.stringify({ ...result, halves: result.halves.map((h) => [h.replica, h.samples.length]) }, null, 1));
console.log(record.counts, record.failures, record.violations, record.longestWaitMs);
