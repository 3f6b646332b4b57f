// onnxruntime as a peer of bench_peers.py, which starts it and talks to it:
//
//   NODE_PATH=folder node onnxruntime_peer.js MODEL.onnx BATCH THREADS
//
// The folder has onnxruntime-node. Without arguments it only tells its version.
// Otherwise it prints a line of JSON once it is ready; then each line on stdin
// holds a time in seconds, to which it answers with the milliseconds of each run
// that it did in about that time.
'use strict';
const readline = require('readline');
const ort = require('onnxruntime-node');

const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');

async function main() {
  const version = ort.env.versions.node || ort.env.versions.common;
  if (process.argv.length < 3) {
    say({ version });
    return;
  }
  const [model, batch, threads] = process.argv.slice(2);
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: Number(threads),
    interOpNumThreads: 1,
  });
  const shape = [Number(batch), 3, 224, 224];
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 2 * Math.random() - 1);
  const feeds = { x: new ort.Tensor('float32', values, shape) };
  const run = async () => {
    const start = performance.now();
    await session.run(feeds);
    return performance.now() - start;
  };
  for (let i = 0; i < 3; i++) await run();
  say({ version });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    await run(); // what idling has cost is not counted
    const end = performance.now() + Number(line) * 1e3;
    const times = [];
    while (times.length < 3 || performance.now() < end) times.push(await run());
    say(times);
  }
}

main().catch((err) => {
  console.error(String(err));
  process.exit(1);
});
