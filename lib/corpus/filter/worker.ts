/** A thread that judges blocks; the other end is judges.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import { BlockJudge, type BlockOptions } from './block.ts'

const judge = new BlockJudge(workerData as BlockOptions)

parentPort!.on('message', (bytes: Uint8Array<ArrayBuffer>) => {
  const block = judge.judge(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  const transfer = [bytes.buffer, block.ends.buffer, block.keys.buffer] as ArrayBuffer[]
  parentPort!.postMessage({ bytes, block }, transfer)
})
