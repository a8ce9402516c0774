// Prepared statements live in one engine session: each client's names get a prefix of its own. Portals need none: they
// end with their transaction, which never shares the engine. (Cursors WITH HOLD outlive it and share their names.)
import { cString } from './protocol.mjs'

const BIND = 0x42, CLOSE = 0x43, DESCRIBE = 0x44, PARSE = 0x50
const STATEMENT = 0x53

/**
 * Rewrites one extended-protocol message. `statement`: as the client named it, where the message has one; `sql`: of
 * Parse.
 * @param {Buffer} message
 * @param {string} prefix
 * @returns {{ data: Buffer, statement?: string, sql?: string }}
 */
export function withPrefix(message, prefix) {
  const type = message[0]
  if (type === PARSE) return rename(message, 5, prefix, (next) => ({ sql: cString(message, next)[0] }))
  if (type === BIND) return rename(message, cString(message, 5)[1], prefix)
  if ((type === DESCRIBE || type === CLOSE) && message[5] === STATEMENT) return rename(message, 6, prefix)
  return { data: message }
}

/**
 * @param {Buffer} message
 * @param {number} at where the name begins
 * @param {string} prefix
 * @param {(next: number) => { sql?: string }} more from the place after the name
 */
function rename(message, at, prefix, more = () => ({})) {
  const [statement, next] = cString(message, at)
  if (statement === '') return { data: message, statement, ...more(next) }
  const data = Buffer.concat([message.subarray(0, at), Buffer.from(prefix), message.subarray(at)])
  data.writeInt32BE(data.length - 1, 1)
  return { data, statement, ...more(next) }
}
