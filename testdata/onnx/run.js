// Runs a model in onnxruntime: node run.js MODEL.onnx INPUT N C H W
//
// INPUT holds N x C x H x W float32 values. NODE_PATH names a folder that has
// onnxruntime-node. Prints the names of the model's inputs and outputs, and the
// output's dimensions and values, as JSON.
'use strict';
const fs = require('fs');
const ort = require('onnxruntime-node');

async function main() {
  const [model, input, ...dims] = process.argv.slice(2);
  const session = await ort.InferenceSession.create(model, { executionProviders: ['cpu'], intraOpNumThreads: 1 });
  const bytes = fs.readFileSync(input);
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const results = await session.run({ [session.inputNames[0]]: new ort.Tensor('float32', values, dims.map(Number)) });
  const output = results[session.outputNames[0]];
  console.log(JSON.stringify({ inputs: session.inputNames, outputs: session.outputNames, dims: output.dims, values: Array.from(output.data) }));
}

main().catch((err) => {
  console.error(err.message);
  process.exit(1);
});
