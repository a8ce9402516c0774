// What the server must see in a client's SQL. It looks for words, it does not parse: a false find costs a query, no more.
import { quoteIdentifier, quoteLiteral } from './protocol.mjs'

const NAME = '("(?:[^"]|"")+"|[a-z_\\u0080-\\uffff][\\w$\\u0080-\\uffff]*)'
const LEAD = '^(?:\\s|--[^\\n]*\\n|/\\*[^]*?\\*/)*'
const PREPARED = new RegExp(`${LEAD}(?:prepare|execute|deallocate(?:\\s+prepare)?)\\s+${NAME}`, 'id')
const SESSION_USER =
  /\b(set|reset)\s+(?:(?:session|local)\s+)?session\s+authorization(?:\s+(?:(default)\b|'([^']*)'|("(?:[^"]|"")+"|\w+)))?/i
const TOUCHES =
  /(?:^|;|\*\/|\n)\s*(?:set|reset|discard|do|call|execute|deallocate)\b|set_config|\btemp(?:orary)?\b|pg_temp/i
const CUSTOM = /(?:\bset\s+(?:session\s+|local\s+)?|set_config\s*\(\s*')([a-z_]\w*\.[\w.]+)/gi

const HELD = new RegExp(`\\bdeclare\\s+${NAME}[^;]*?\\bwith\\s+hold\\b`, 'gi')

/** Cursors WITH HOLD that the SQL declares, quoted. */
export const heldCursors = (sql) =>
  /\bhold\b/i.test(sql) ? Array.from(sql.matchAll(HELD), (match) => quoteIdentifier(unquote(match[1]))) : []

/** What a lone DISCARD throws away: 'all', 'temp', or null for every other statement. */
export function discards(sql) {
  const found = /^\s*discard\s+(?:(all)|temp|temporary)\s*;?\s*$/i.exec(sql)
  return found && (found[1] ? 'all' : 'temp')
}

/** Statements after which a role may be greeted differently. */
export const CHANGES_ROLES = /\b(?:create|alter|drop)\s+(?:role|user|group|database)\b/i

export const RESETS = /\b(?:reset|discard\s+all|authorization)\b/i

/** Null when the SQL cannot change roles, settings or temporary tables, else what it may do. */
export function looksAtSession(sql) {
  if (!TOUCHES.test(sql)) return null
  return {
    temp: /temp/i.test(sql),
    deallocatesAll: /\b(?:deallocate\s+(?:prepare\s+)?|discard\s+)all\b/i.test(sql),
    custom: Array.from(sql.matchAll(CUSTOM), (match) => match[1].toLowerCase()),
  }
}

const unquote = (name) => (name[0] === '"' ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase())

/** SQL-level statement names get the client's prefix, and the session user stays within what the client may be. */
export function isolateSql(sql, client) {
  const prepared = PREPARED.exec(sql)
  if (prepared && !/^(?:all|transaction)$/i.test(prepared[1])) {
    client.prepared = true
    const [start, end] = prepared.indices[1]
    return sql.slice(0, start) + quoteIdentifier(client.prefix + unquote(prepared[1])) + sql.slice(end)
  }
  const change = SESSION_USER.exec(sql)
  if (!change) return sql
  const [whole, verb, isDefault, literal, name] = change
  const target = literal ?? (name && unquote(name))
  if (verb.toLowerCase() === 'reset' || isDefault || target === client.user) {
    return sql.replace(whole, `set session authorization ${quoteIdentifier(client.user)}`)
  }
  if (client.superuser) return sql
  const text = quoteLiteral(`permission denied to set session authorization "${target}"`)
  return `do $$ begin raise insufficient_privilege using message = ${text}; end $$`
}
