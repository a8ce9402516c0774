// The main thread's handle on the engine: one run at a time, output streamed, COPY input fed while it runs.
import { MessageChannel, Worker } from 'node:worker_threads'
import { copyFail } from './protocol.mjs'

// Slots of the shared counters.
export const FED = 0
export const CONSUMED = 1
export const UNSENT = 2
export const CANCEL = 3

const FEED_HIGH_WATER = 16 << 20

export class Engine {
  #worker
  #feed
  /** @type {Int32Array} */
  #counters
  #run = 0
  #active = null
  #fedBytes = 0
  #closed = null
  #onExit

  /**
   * Opens the data directory (creating it when empty) and resolves when queries can run. `onExit(error)` is called when
   * the engine dies later: it must end the process, since nothing in the engine's memory can be trusted.
   */
  static async open(dataDir, onExit) {
    const engine = new Engine()
    engine.#onExit = onExit
    const shared = new SharedArrayBuffer(16)
    const channel = new MessageChannel()
    engine.#counters = new Int32Array(shared)
    engine.#feed = channel.port1
    engine.#worker = new Worker(new URL('./engine-worker.mjs', import.meta.url), {
      workerData: { dataDir, shared, feed: channel.port2 },
      transferList: [channel.port2],
    })
    await /** @type {Promise<void>} */ (new Promise((resolve, reject) => {
      engine.#worker.once('error', reject)
      engine.#worker.on('message', (message) => {
        if (message.ready) resolve()
        else engine.#receive(message)
      })
    }))
    engine.#worker.removeAllListeners('error')
    engine.#worker.on('error', onExit)
    engine.#worker.on('exit', (code) => engine.#closed || onExit(new Error(`engine left with ${code}`)))
    return engine
  }

  /**
   * Runs messages that end in Query, Sync or Flush; `onData(bytes, delivered)` gets the raw output and calls
   * `delivered` when it has left this process's memory, `onStarved()` is called when a COPY waits for rows. One run at a time.
   */
  run(data, onData, onStarved) {
    if (this.#active) throw new Error('the engine is busy')
    const run = ++this.#run
    Atomics.store(this.#counters, UNSENT, 0)
    return new Promise((resolve) => {
      this.#active = { run, onData, onStarved, resolve, starved: false }
      const copy = new Uint8Array(data)
      this.#worker.postMessage({ run, data: copy }, [copy.buffer])
    })
  }

  /** Gives more input (CopyData, CopyDone, CopyFail) to the run under way; ignored when there is none. */
  feed(data) {
    if (!this.#active) return
    const copy = new Uint8Array(data)
    this.#fedBytes += copy.length
    this.#active.starved = false
    this.#feed.postMessage({ run: this.#active.run, data: copy }, [copy.buffer])
    Atomics.add(this.#counters, FED, 1)
    Atomics.notify(this.#counters, FED)
  }

  /** Asks the run under way to stop; see interrupts.mjs for what listens. */
  interrupt(reason) {
    if (!this.#active) return
    if (this.#active.starved) this.feed(copyFail(reason))
    else Atomics.store(this.#counters, CANCEL, this.#active.run)
  }

  /** True while a COPY waits for rows of its client. */
  get starved() {
    return this.#active?.starved ?? false
  }

  /** True while more COPY input is queued than the engine should have to hold. */
  get congested() {
    const pending = (this.#fedBytes - Atomics.load(this.#counters, CONSUMED)) | 0
    return this.#active !== null && pending > FEED_HIGH_WATER
  }

  #delivered(run, bytes) {
    if (this.#active?.run !== run) return
    Atomics.sub(this.#counters, UNSENT, bytes)
    Atomics.notify(this.#counters, UNSENT)
  }

  /** Shuts the engine down in order; the data directory can be copied afterwards. */
  async close() {
    const closed = new Promise((resolve) => (this.#closed = resolve))
    this.#worker.postMessage({ close: true })
    await closed
    await this.#worker.terminate()
    this.#feed.close()
  }

  #receive(message) {
    if (message.closed) return this.#closed()
    const active = this.#active
    if (message.data) {
      const { length } = message.data
      active.onData(Buffer.from(message.data.buffer), () => this.#delivered(message.run, length))
    }
    if (message.starved) {
      active.starved = true
      active.onStarved?.()
    }
    if (message.done) {
      this.#active = null
      if (message.failure) this.#onExit(new Error(message.failure))
      else active.resolve()
    }
  }
}
