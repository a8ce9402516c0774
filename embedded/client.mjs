// One client connection: start-up, batches of messages, and what the client leaves in the engine.
import {
  FrontendReader, copyFail, errorResponse, int32, message, parameterStatus, readyForQuery,
} from './protocol.mjs'
import { WaitCancelled, WaitTimeout } from './turns.mjs'

const CANCEL_REQUEST = 80877102
const SSL_REQUEST = 80877103
const GSSENC_REQUEST = 80877104
const PROTOCOL_3 = 3 << 16

const Q = 0x51, SYNC = 0x53, FLUSH = 0x48, TERMINATE = 0x58, FUNCTION_CALL = 0x46
const COPY_MESSAGES = new Set([0x64, 0x63, 0x66])

let lastId = 0

const CANCELLED = Buffer.from('SERROR\0VERROR\0C57014\0Mcanceling statement due to user request\0')
const cancelText = (unit) => `canceling statement due to ${unit.timedOut ? 'statement timeout' : 'user request'}`

/** The engine knows of one way to cancel; PostgreSQL names the timeout in its message. */
function withTimeoutText(output) {
  const at = output.indexOf(CANCELLED)
  if (at < 5) return output
  const text = Buffer.from(CANCELLED.toString().replace('user request', 'statement timeout'))
  const head = Buffer.from(output.subarray(at - 5, at))
  head.writeInt32BE(head.readInt32BE(1) + text.length - CANCELLED.length, 1)
  return Buffer.concat([output.subarray(0, at - 5), head, text, output.subarray(at + CANCELLED.length)])
}

/** Drops the ParseComplete and CloseComplete of statements that this server prepared again on its own account. */
function withoutRepeats(output, unit) {
  const kept = []
  let at = 0
  while (unit.swallow && at < output.length) {
    const end = at + 1 + output.readInt32BE(at + 1)
    if (output[at] === 0x31 || output[at] === 0x33) unit.swallow--
    else kept.push(output.subarray(at, end))
    if (output[at] === 0x45) unit.swallow = 0
    at = end
  }
  return Buffer.concat([...kept, output.subarray(at)])
}

export class Client {
  id = ++lastId
  prefix = `c${this.id}_`
  user = ''
  state = null
  /** I, T or E as in ReadyForQuery; U while an extended-protocol sequence has not been synced. */
  status = 'I'
  /** Protocol-level statements by the client's name: { parse, epoch }. */
  statements = new Map()
  /** statement_timeout as of the last unit; 0: none. */
  timeoutMs = 0
  /** Names of cursors WITH HOLD. */
  held = new Set()

  #socket
  #server
  #reader = new FrontendReader()
  #started = false
  #batch = []
  #units = []
  #pumping = false
  #running = false
  #skipToSync = false
  #idleTimer = null
  #taken = -1
  #gone = false

  constructor(socket, server) {
    this.#socket = socket
    this.#server = server
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#onData(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#onClose())
  }

  /** Ends the connection with a FATAL error. */
  async terminate(code, text, hint) {
    this.#socket.end(errorResponse('FATAL', code, text, hint))
    // Who does not read does not get to keep the socket.
    setTimeout(() => this.#socket.destroy(), 1000).unref()
    this.#onClose()
  }

  #send(data) {
    if (!this.#socket.writable) return
    this.#socket.write(data)
  }

  #onData(chunk) {
    if (this.#gone) return
    this.#reader.push(chunk)
    this.#armIdleTimer()
    try {
      if (!this.#started) this.#startup()
      if (this.#started) this.#collect()
    } catch (error) {
      this.terminate('08P01', error.message)
    }
  }

  #startup() {
    for (let packet; !this.#started && (packet = this.#reader.nextStartup()); ) {
      const code = packet.readInt32BE(4)
      if (code === SSL_REQUEST || code === GSSENC_REQUEST) {
        this.#send(Buffer.from('N'))
      } else if (code === CANCEL_REQUEST) {
        if (packet.length === 16) this.#server.cancel(packet.readInt32BE(8), packet.readInt32BE(12))
        this.#socket.end()
        return
      } else if (code >> 16 !== 3) {
        this.terminate('0A000', `unsupported protocol ${code >> 16}.${code & 0xffff}: use version 3`)
        return
      } else {
        const parts = packet.toString('utf8', 8).split('\0')
        const options = {}
        for (let i = 0; i + 1 < parts.length && parts[i]; i += 2) options[parts[i]] = parts[i + 1]
        if (code !== PROTOCOL_3) {
          const unknown = Object.keys(options).filter((name) => name.startsWith('_pq_.'))
          this.#send(message('v', int32(PROTOCOL_3), int32(unknown.length), ...unknown))
        }
        this.#started = true
        this.#units.push({ startup: options })
        this.#pump()
      }
    }
  }

  #collect() {
    const copyRows = []
    for (let data; (data = this.#reader.next()); ) {
      const type = data[0]
      if (type === TERMINATE) {
        this.#units.push({ end: TERMINATE })
        break
      }
      if (COPY_MESSAGES.has(type)) {
        copyRows.push(data)
        continue
      }
      this.#batch.push(data)
      if (type === Q || type === SYNC || type === FLUSH || type === FUNCTION_CALL) {
        this.#units.push({ messages: this.#batch, end: type })
        this.#batch = []
      }
    }
    // Without a COPY under way these are the rest of one that failed: the protocol says to ignore them.
    if (copyRows.length && this.#running) this.#feed(copyRows)
    this.#pump()
  }

  #feed(rows) {
    const { engine } = this.#server
    engine.feed(rows.length === 1 ? rows[0] : Buffer.concat(rows))
    if (!engine.congested) return
    this.#socket.pause()
    const timer = setInterval(() => {
      if (engine.congested) return
      clearInterval(timer)
      this.#socket.resume()
    }, 2)
  }

  async #pump() {
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (this.#units.length && !this.#gone) {
        const unit = this.#units.shift()
        if (unit.end === TERMINATE) this.#onClose()
        else if (unit.startup) await this.#begin(unit.startup)
        else await this.#execute(unit)
      }
    } catch (error) {
      this.#server.log(`client ${this.id}: ${error.stack ?? error}`)
      this.terminate(error.code ?? 'XX000', error.message)
    } finally {
      this.#pumping = false
    }
    if (this.#gone) await this.#leave()
    else this.#armIdleTimer()
  }

  async #begin(options) {
    const { turns, sessions, config } = this.#server
    this.user = options.user ?? 'postgres'
    try {
      const parameters = await sessions.greet(this, options)
      this.#send(
        Buffer.concat([
          message('R', int32(0)),
          ...Object.entries(parameters).map(([name, value]) => parameterStatus(name, value)),
          message('K', int32(this.id), int32(config.secret)),
          readyForQuery('I'),
        ]),
      )
    } catch (error) {
      if (error instanceof WaitTimeout) this.terminate('55P03', ...this.#server.waitMessage())
      else this.terminate(error.code ?? 'XX000', error.message)
    } finally {
      turns.release(this)
    }
  }

  async #execute(unit) {
    const { turns, sessions, config } = this.#server
    if (this.#skipToSync) {
      if (unit.end !== SYNC) return
      this.#skipToSync = false
      this.#send(readyForQuery(this.status))
      return
    }
    let timer
    const timedOut = () => {
      unit.timedOut = true
      this.cancel()
    }
    if (this.timeoutMs > 0) timer = setTimeout(timedOut, this.timeoutMs)
    try {
      await turns.acquire(this, config.lockWaitMs)
      if (this.#gone) return
      this.#armIdleTimer()
      await this.#run(await sessions.prepare(this, unit), unit)
      if (this.status === 'I') turns.release(this)
    } catch (error) {
      if (error instanceof WaitTimeout) this.#refuse(unit, '55P03', ...this.#server.waitMessage())
      else if (error instanceof WaitCancelled) this.#refuse(unit, '57014', cancelText(unit))
      else throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Cancels what this client runs or waits for. */
  cancel() {
    const { engine, turns } = this.#server
    if (!turns.cancel(this) && this.#running) engine.interrupt('canceling statement due to user request')
  }

  #refuse(unit, code, text, hint) {
    this.#send(errorResponse('ERROR', code, text, hint))
    if (unit.end === FLUSH) this.#skipToSync = true
    else this.#send(readyForQuery('I'))
  }

  async #run(data, unit) {
    const { engine, sessions } = this.#server
    // ReadyForQuery is held back: it is the client's sign that everything about this unit is settled.
    let tail = Buffer.alloc(0)
    this.#running = true
    try {
      await engine.run(
        data,
        (chunk, delivered) => {
          let all = tail.length ? Buffer.concat([tail, chunk]) : chunk
          if (unit.timedOut) all = withTimeoutText(all)
          if (unit.swallow) all = withoutRepeats(all, unit)
          const keep = Math.max(all.length - 6, 0)
          tail = all.subarray(keep)
          this.#forward(all.subarray(0, keep), delivered)
        },
        () => {
          this.#send(tail)
          tail = Buffer.alloc(0)
        },
      )
    } finally {
      this.#running = false
    }
    if (tail.length === 6 && tail.readInt32BE(1) === 5 && tail[0] === 0x5a) {
      this.status = String.fromCharCode(tail[5])
      for (const extra of await sessions.settled(this, unit)) this.#send(extra)
    } else {
      this.status = 'U'
    }
    this.#send(tail)
  }

  #forward(data, delivered) {
    if (this.#socket.writable) this.#socket.write(data, delivered)
    else delivered()
  }

  #armIdleTimer() {
    clearTimeout(this.#idleTimer)
    const { turns, config } = this.#server
    if (turns.owner !== this || config.idleTransactionMs === 0 || this.#gone) return
    this.#idleTimer = setTimeout(() => this.#onIdle(), config.idleTransactionMs)
  }

  #onIdle() {
    if (this.#running && !this.#server.engine.starved) {
      const taken = this.#socket.bytesWritten - this.#socket.writableLength
      // A client that does not read its result blocks the others as an idle one does.
      if (this.#socket.writableLength > 0 && taken === this.#taken) this.#socket.destroy()
      this.#taken = taken
      this.#armIdleTimer()
      return
    }
    this.terminate(
      '25P03',
      'terminating connection due to idle-in-transaction timeout',
      'The embedded engine serves one transaction at a time; raise EMBEDDED_IDLE_TRANSACTION_S to wait longer.',
    )
  }

  #onClose() {
    if (this.#gone) return
    this.#gone = true
    this.#socket.end()
    clearTimeout(this.#idleTimer)
    this.#units = []
    if (this.#running) this.#server.engine.feed(copyFail('the client has gone'))
    if (!this.#pumping) this.#leave()
  }

  /** Gives back everything this client holds. */
  async #leave() {
    const { turns, sessions, forget } = this.#server
    try {
      await turns.acquire(this, 0)
      await sessions.forget(this)
    } catch (error) {
      this.#server.log(`client ${this.id} left something behind: ${error.stack ?? error}`)
    } finally {
      turns.release(this)
      forget(this)
    }
  }
}
