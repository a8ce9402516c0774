// PostgreSQL wire protocol 3: framing in both directions and the few messages this server writes itself.

const EMPTY = Buffer.alloc(0)

/** Splits the bytes of a client into messages. Before start-up a message has no type byte. */
export class FrontendReader {
  #chunks = []
  #size = 0
  #needed = 1

  push(chunk) {
    this.#chunks.push(chunk)
    this.#size += chunk.length
  }

  /** The next `length`-prefixed packet (length word included) or null. */
  nextStartup() {
    return this.#next(0)
  }

  /** The next typed message, header included, or null. */
  next() {
    return this.#next(1)
  }

  #next(typeBytes) {
    if (this.#size < Math.max(this.#needed, 4 + typeBytes)) return null
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks, this.#size)]
    const data = this.#chunks[0]
    const length = data.readInt32BE(typeBytes) + typeBytes
    if (length < 4 + typeBytes || length > 0x3fffffff) {
      throw new ProtocolViolation(`invalid message length ${length}`)
    }
    if (data.length < length) {
      this.#needed = length
      return null
    }
    this.#needed = 1
    const message = data.subarray(0, length)
    const rest = data.subarray(length)
    this.#chunks = rest.length ? [rest] : []
    this.#size = rest.length
    return message
  }
}

export class ProtocolViolation extends Error {}

export function message(type, ...parts) {
  const body = parts.map((part) =>
    typeof part === 'string' ? Buffer.from(part + '\0') : part ?? EMPTY,
  )
  const size = body.reduce((sum, part) => sum + part.length, 4)
  const head = Buffer.alloc(5)
  head.write(type, 0, 'latin1')
  head.writeInt32BE(size, 1)
  return Buffer.concat([head, ...body])
}

export const query = (sql) => message('Q', sql)
export const sync = () => message('S')
export const copyFail = (reason) => message('f', reason)
export const readyForQuery = (status) => message('Z', Buffer.from(status))
export const parameterStatus = (name, value) => message('S', name, value)

export function int32(value) {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** ErrorResponse; `severity` is ERROR or FATAL. */
export function errorResponse(severity, code, text, hint) {
  const fields = [`S${severity}`, `V${severity}`, `C${code}`, `M${text}`]
  if (hint) fields.push(`H${hint}`)
  return message('E', ...fields, Buffer.from([0]))
}

/** Fields of an ErrorResponse or NoticeResponse body, keyed by their one-letter code. */
export function errorFields(body) {
  const fields = {}
  for (const part of body.toString().split('\0')) if (part) fields[part[0]] = part.slice(1)
  return fields
}

/** Reads a NUL-terminated string; returns [text, offset behind the NUL]. */
export function cString(data, at) {
  const end = data.indexOf(0, at)
  if (end < 0) throw new ProtocolViolation('unterminated string in message')
  return [data.toString('utf8', at, end), end + 1]
}

/** Rows of the engine's text-format output of one or more statements, as arrays of strings or null. */
export function rowsOf(output) {
  const rows = []
  for (let at = 0; at < output.length; at += 1 + output.readInt32BE(at + 1)) {
    if (output[at] !== 0x44) continue
    const row = []
    let pos = at + 7
    for (let left = output.readInt16BE(at + 5); left > 0; left--) {
      const length = output.readInt32BE(pos)
      pos += 4
      row.push(length < 0 ? null : output.toString('utf8', pos, pos + length))
      pos += Math.max(length, 0)
    }
    rows.push(row)
  }
  return rows
}

export const quoteLiteral = (text) =>
  (text.includes('\\') ? ' E' : '') + "'" + text.replaceAll('\\', '\\\\').replaceAll("'", "''") + "'"
export const quoteIdentifier = (text) => '"' + text.replaceAll('"', '""') + '"'
