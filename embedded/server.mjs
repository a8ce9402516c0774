// Serves one embedded TimescaleDB to PostgreSQL clients on the loopback interface.
// node server.mjs <data directory> <port>; everything else comes from EMBEDDED_* variables.
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { Client } from './client.mjs'
import { Engine } from './engine.mjs'
import { lockDirectory } from './lock.mjs'
import { Jobs } from './jobs.mjs'
import { Sessions } from './sessions.mjs'
import { Turns } from './turns.mjs'

const STOP_WAIT_MS = 10_000

let stopping = false

const [dataDir, port] = process.argv.slice(2)
/** Milliseconds of a variable in seconds. */
const seconds = (name, fallback) => {
  const value = Number(process.env[name] ?? fallback)
  if (Number.isFinite(value) && value >= 0) return value * 1000
  return fail(`${name}=${process.env[name]} is not a number of seconds >= 0`)
}

function log(text) {
  console.error(`${new Date().toISOString()} ${text}`)
}

/** @returns {never} */
function fail(text) {
  log(text)
  process.exit(1)
}

/** Everything is closed. process.exit() would first join V8's compiler threads and can hang there: nodejs/node#54918. */
function end() {
  process.kill(process.pid, 'SIGKILL')
}

const config = {
  idleTransactionMs: seconds('EMBEDDED_IDLE_TRANSACTION_S', 60),
  lockWaitMs: seconds('EMBEDDED_LOCK_WAIT_S', 30),
  jobsEveryMs: seconds('EMBEDDED_JOBS_EVERY_S', 5),
  secret: randomInt(2 ** 31),
}

let unlock
try {
  unlock = lockDirectory(dataDir)
} catch (error) {
  fail(error.message)
}

const clients = new Set()
const turns = new Turns()
let engine = null
let sessions = null
let opened
const isOpen = new Promise((resolve) => (opened = resolve))

// The port first: when it is taken nothing has been touched yet.
const server = createServer({ noDelay: true }, async (socket) => {
  socket.on('error', () => socket.destroy())
  const shared = await isOpen
  if (stopping || socket.destroyed) socket.destroy()
  else clients.add(new Client(socket, shared))
})
await new Promise((resolve) => {
  server.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
    unlock()
    if (error.code !== 'EADDRINUSE') fail(`cannot listen on port ${port} of 127.0.0.1: ${error.message}`)
    fail(`port ${port} on 127.0.0.1 is in use: choose another with --port, or 0 for a free one`)
  })
  server.listen(Number(port), '127.0.0.1', () => resolve(null))
})

process.on('SIGTERM', () => stop('SIGTERM'))
process.on('SIGINT', () => stop('SIGINT'))

function crashed(error) {
  unlock()
  fail(`the engine stopped: ${error.stack ?? error}`)
}

try {
  engine = await Engine.open(dataDir, crashed)
  sessions = new Sessions(engine, turns, config)
  await sessions.open()
} catch (error) {
  unlock()
  fail(`cannot open the data directory ${dataDir}: ${error.stack ?? error}`)
}
const shared = {
  config, engine, log, sessions, turns,
  cancel: (id, secret) => {
    for (const client of clients) if (client.id === id && secret === config.secret) client.cancel()
  },
  forget: (client) => clients.delete(client),
  waitMessage: () => [
    `another client's transaction has held the embedded engine for more than ${config.lockWaitMs / 1000} s`,
    'The embedded engine serves one transaction at a time: end the other one, or raise EMBEDDED_LOCK_WAIT_S.',
  ],
}
const jobs = new Jobs(shared)
jobs.start()
opened(shared)
const { port: listening } = /** @type {import('node:net').AddressInfo} */ (server.address())
log(`listening on 127.0.0.1:${listening}, data in ${dataDir}`)

async function stop(signal) {
  if (stopping) return
  stopping = true
  log(`${signal}: stopping`)
  server.close()
  await isOpen
  jobs.stop()
  for (const client of clients) client.terminate('57P01', 'terminating connection due to administrator command')
  engine.interrupt('the server is stopping')
  const forced = setTimeout(() => {
    // What runs now never committed; the next start recovers from the log, as after a crash.
    log(`a statement still runs after ${STOP_WAIT_MS / 1000} s: stopping without it`)
    unlock()
    end()
  }, STOP_WAIT_MS)
  await turns.acquire(shared, 0)
  await engine.close()
  clearTimeout(forced)
  unlock()
  log('stopped')
  end()
}
