// Cancelling a statement. WebAssembly cannot be interrupted from outside, but it calls out for the clock, for file
// access and for the client's bytes: there the worker looks whether it should stop and raises PostgreSQL's own flags,
// as a signal handler would. A statement that does none of these runs to its end.

const CALLS = ['clock_time_get', 'emscripten_date_now', 'fd_pread', 'fd_pwrite', 'fd_read', 'fd_write']
const INT = 4
const HOUR_NS = 3_600_000_000_000n

/** An extension for PGlite that makes `isWanted()` be asked at every outside call; `clear()` forgets a late request. */
export function interrupts(isWanted) {
  let memory = null
  let interruptPending = 0
  let queryCancelPending = 0
  let raised = false

  function check() {
    if (memory === null || !isWanted()) return
    raised = true
    const words = new Int32Array(memory.buffer)
    words[queryCancelPending] = 1
    words[interruptPending] = 1
  }

  /** pg_sleep waits by reading the clock and looks at the flags only when its time is over. */
  function endSleep(pointer) {
    const time = new DataView(memory.buffer)
    time.setBigUint64(pointer, time.getBigUint64(pointer, true) + HOUR_NS, true)
  }

  function wrap(imports) {
    for (const namespace of [imports.env, imports.wasi_snapshot_preview1]) {
      for (const name of CALLS) {
        const call = namespace[name]
        if (typeof call !== 'function') continue
        const checked = (...args) => {
          check()
          const result = call(...args)
          if (raised && name === 'clock_time_get') endSleep(args.at(-1))
          return result
        }
        // Emscripten keeps the signature on the function.
        namespace[name] = Object.assign(checked, call)
      }
    }
  }

  function locate(instance, imports) {
    const { InterruptPending: first, ProcDiePending: third } = instance.exports
    // QueryCancelPending is not exported; it is declared between these two.
    if (!first || !third || third.value - first.value !== 2 * INT) return
    memory = imports.env.memory ?? instance.exports.memory
    const base = imports.env.__memory_base?.value ?? 0
    interruptPending = (base + first.value) / INT
    queryCancelPending = interruptPending + 1
  }

  const extension = {
    name: 'interrupts',
    setup: async (_database, emscriptenOpts) => {
      const { instantiateWasm } = emscriptenOpts
      emscriptenOpts.instantiateWasm = (imports, done) => {
        wrap(imports)
        return instantiateWasm(imports, (instance, module) => {
          locate(instance, imports)
          done(instance, module)
        })
      }
      return { emscriptenOpts }
    },
  }
  const clear = () => {
    if (!raised) return
    raised = false
    new Int32Array(memory.buffer)[queryCancelPending] = 0
  }
  return { extension, check, clear }
}
