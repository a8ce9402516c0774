// The engine has one session; every client must find its own in it. Kept here: which client's role, settings, temporary
// tables and prepared statements the engine currently holds, and how they are exchanged when it changes hands.
import { withPrefix } from './names.mjs'
import {
  cString, errorFields, message, parameterStatus, query, quoteIdentifier, quoteLiteral, rowsOf, sync,
} from './protocol.mjs'
import { CHANGES_ROLES, discards, heldCursors, isolateSql, looksAtSession, RESETS } from './sql.mjs'

const Q = 0x51, PARSE = 0x50, CLOSE = 0x43

// The build starts its backend with switches meant for bootstrap and debugging: most of these are PostgreSQL's defaults.
const DEFAULTS = {
  allow_system_table_mods: 'off',
  client_min_messages: 'notice',
  enable_seqscan: 'on',
  log_min_messages: 'fatal',
  search_path: '"$user", public',
  TimeZone: 'UTC',
  // TimescaleDB 2.23 reads recompressed chunks in a wrong order (its issue 9731) and can leave out rows of partly
  // compressed ones (10423). Releases from 2.29.2 on, the oldest that migrations accept elsewhere, do neither.
  'timescaledb.enable_compressed_skipscan': 'off',
  'timescaledb.enable_segmentwise_recompression': 'off',
}
const REPORTED = [
  'application_name', 'client_encoding', 'DateStyle', 'default_transaction_read_only', 'in_hot_standby',
  'integer_datetimes', 'IntervalStyle', 'is_superuser', 'scram_iterations', 'server_encoding', 'server_version',
  'session_authorization', 'standard_conforming_strings', 'TimeZone',
]
// RESET would do nothing: the engine's session began without a login.
const BECOME_SERVER = 'set session authorization postgres'
const STOWED = '^c[0-9]+_t[0-9]+$'

export class EngineError extends Error {
  constructor(fields) {
    super(fields.M)
    this.code = fields.C
    this.fields = fields
  }
}

export class Sessions {
  #engine
  #turns
  #config
  #current = null
  #key = ''
  /** Counts what removes prepared statements of all clients at once. */
  #epoch = 0
  #unnamedOwner = null
  #greeted = new Map()
  #customSettings = new Set()

  constructor(engine, turns, config) {
    this.#engine = engine
    this.#turns = turns
    this.#config = config
  }

  /** What shared_preload_libraries does elsewhere: without it a reopened database lacks the community functions. */
  async open() {
    await this.sql("load 'timescaledb'")
    // The engine comes up with an outdated copy of its database's row, which a GRANT on it trips over
    // ("tuple concurrently deleted"). An ALTER reads the row itself, and has the copy forgotten.
    await this.sql('alter database template1 connection limit -1')
  }

  /** Runs SQL of the server itself; returns the rows as text. The caller owns the engine. */
  async sql(text) {
    const chunks = []
    this.#unnamedOwner = null
    await this.#engine.run(query(text), (chunk, delivered) => {
      chunks.push(chunk)
      delivered()
    })
    const output = Buffer.concat(chunks)
    for (let at = 0; at < output.length; at += 1 + output.readInt32BE(at + 1)) {
      if (output[at] !== 0x45) continue
      throw new EngineError(errorFields(output.subarray(at + 5, at + 1 + output.readInt32BE(at + 1))))
    }
    return rowsOf(output)
  }

  /** Runs one statement as `user` with default settings; returns its rows. The caller owns the engine. */
  async asServer(user, text) {
    await this.#leaveCurrent()
    await this.#apply({ state: { user, role: 'none', settings: DEFAULTS, temp: [] } })
    return this.sql(text)
  }

  /** Checks a start-up packet and returns the parameters to report. Asks the engine only for what it has not seen yet. */
  async greet(client, options) {
    if (options.replication && !/^(false|off|no|0)$/i.test(options.replication)) {
      throw new EngineError({ C: '0A000', M: 'the embedded engine has no replication' })
    }
    client.startup = startupSettings(options)
    const { application_name: name = '', ...checked } = client.startup
    const key = JSON.stringify([client.user, checked])
    let seen = this.#greeted.get(key)
    if (!seen) {
      await this.#turns.acquire(client, this.#config.lockWaitMs)
      const user = quoteLiteral(client.user)
      await this.#leaveCurrent()
      const [role] = await this.sql(
        `${BECOME_SERVER}; select rolsuper, rolcanlogin from pg_catalog.pg_roles where rolname = ${user}`,
      )
      if (!role) throw new EngineError({ C: '28000', M: `role "${client.user}" does not exist` })
      if (role[1] !== 't') {
        throw new EngineError({ C: '28000', M: `role "${client.user}" is not permitted to log in` })
      }
      const preset = await this.#presetSettings(user)
      client.state = initialState(client, preset)
      await this.#apply(client)
      seen = { preset, superuser: role[0] === 't', ...(await this.#parameters()) }
      this.#greeted.set(key, seen)
    }
    client.startup = { ...seen.preset, ...client.startup }
    client.state = initialState(client, {})
    client.superuser = seen.superuser
    client.timeoutMs = seen.timeoutMs
    client.reported = { ...seen.parameters, application_name: name }
    return client.reported
  }

  /** What ALTER ROLE and ALTER DATABASE ... SET give a new session, the more specific last. */
  async #presetSettings(user) {
    const rows = await this.sql(
      `select unnest(s.setconfig) from pg_catalog.pg_db_role_setting as s
       left join pg_catalog.pg_roles as r on r.oid = s.setrole
       left join pg_catalog.pg_database as d on d.oid = s.setdatabase
       where (s.setrole = 0 or r.rolname = ${user})
       and (s.setdatabase = 0 or d.datname = pg_catalog.current_database())
       order by s.setrole <> 0, s.setdatabase <> 0`,
    )
    return Object.fromEntries(rows.map(([text]) => [text.split('=', 1)[0], text.slice(text.indexOf('=') + 1)]))
  }

  /** Puts the client's session into the engine and returns the bytes to run for this unit. */
  async prepare(client, unit) {
    if (this.#current !== client) {
      await this.#leaveCurrent()
      await this.#apply(client)
    }
    const out = []
    let parsed = false
    unit.swallow = 0
    for (const original of unit.messages) {
      let data = original
      let sql = null
      if (data[0] === Q) {
        sql = cString(data, 5)[0]
        const isolated = await this.#isolate(sql, client)
        if (isolated !== sql) data = query(isolated)
        this.#unnamedOwner = null
        client.statements.delete('')
      } else {
        const named = withPrefix(data, client.prefix)
        data = named.data
        if (data[0] === PARSE) {
          sql = named.sql
          const isolated = await this.#isolate(sql, client)
          if (isolated !== sql) data = withSql(data, isolated)
          client.statements.set(named.statement, { parse: data, epoch: this.#epoch })
          if (named.statement === '') {
            this.#unnamedOwner = client
            parsed = true
          }
        } else if (named.statement !== undefined) {
          const held = client.statements.get(named.statement)
          if (data[0] === CLOSE) {
            client.statements.delete(named.statement)
          } else if (held && this.#isLost(client, named.statement, held, parsed)) {
            const engineName = named.statement && client.prefix + named.statement
            out.push(message('C', Buffer.from('S'), engineName), held.parse)
            unit.swallow += 2
            held.epoch = this.#epoch
            if (named.statement === '') this.#unnamedOwner = client
          }
        }
      }
      out.push(data)
      if (sql !== null) this.#note(client, unit, sql)
    }
    if (client.touchy && unit.messages.some((data) => data[0] === 0x45)) client.dirty = unit.dirty = true
    return out.length === 1 ? out[0] : Buffer.concat(out)
  }

  /** DISCARD would also discard what the engine keeps for other clients. */
  async #isolate(sql, client) {
    const what = discards(sql)
    if (what === null || client.status === 'E') return isolateSql(sql, client)
    if (what === 'temp') {
      await this.#dropTemp()
      return 'discard plans'
    }
    if (client.status !== 'I') return sql
    await this.#closeStatements(client)
    await this.#dropTemp()
    client.statements.clear()
    await this.sql(`${BECOME_SERVER}; reset all; set session authorization ${quoteIdentifier(client.user)}`)
    return 'discard plans'
  }

  async #dropTemp() {
    const rows = await this.sql(`
      select relkind, pg_catalog.quote_ident(relname) from pg_catalog.pg_class
      where relnamespace = pg_catalog.pg_my_temp_schema() and relkind in ('r', 'v', 'S', 'p') and relname !~ '${STOWED}'`)
    if (rows.length) await this.sql(rows.map(([kind, name]) => dropTemp(kind, name)).join(';'))
  }

  async #closeStatements(client) {
    for (const cursor of client.held) await this.sql(`close ${cursor}`).catch(() => {})
    client.held.clear()
    if (!client.prepared && !client.statements.size) return
    const prefix = quoteLiteral(client.prefix)
    const names = await this.sql(
      `select name from pg_catalog.pg_prepared_statements where pg_catalog.starts_with(name, ${prefix})`,
    )
    const closes = names.map(([name]) => message('C', Buffer.from('S'), name))
    if (closes.length) await this.#discard(Buffer.concat([...closes, sync()]))
  }

  #isLost(client, name, held, parsed) {
    return name === '' ? this.#unnamedOwner !== client && !parsed : held.epoch !== this.#epoch
  }

  #note(client, unit, sql) {
    if (CHANGES_ROLES.test(sql)) this.#greeted.clear()
    for (const cursor of heldCursors(sql)) client.held.add(cursor)
    const seen = looksAtSession(sql)
    if (!seen) return
    client.dirty = unit.dirty = true
    // A prepared SET takes effect whenever it is executed.
    client.touchy ||= unit.messages.length > 1
    client.usedTemp ||= seen.temp
    for (const name of seen.custom) this.#customSettings.add(name)
    if (seen.deallocatesAll) {
      this.#epoch++
      client.statements.clear()
    }
    unit.resets ||= RESETS.test(sql)
  }

  /** After a unit: brings back start-up values after RESET, returns messages for changed reported parameters. */
  async settled(client, unit) {
    const { status } = client
    // What a transaction changed may change back at its end.
    const dirty = unit.dirty || (client.unsettled && status === 'I')
    client.unsettled = dirty ? status !== 'I' : client.unsettled
    if (!dirty || status === 'E') return []
    if (unit.resets) await this.#restoreStartup(client)
    const messages = []
    const { parameters, timeoutMs } = await this.#parameters()
    client.timeoutMs = timeoutMs
    for (const [name, value] of Object.entries(parameters)) {
      if (client.reported[name] === value) continue
      client.reported[name] = value
      messages.push(parameterStatus(name, value))
    }
    return messages
  }

  /** Ends what a departed client left: transaction, statements, temporary tables. The caller owns the engine for it. */
  async forget(client) {
    if (client.status !== 'I') {
      await this.#discard(sync())
      await this.sql('rollback')
      client.status = 'I'
    }
    await this.#closeStatements(client)
    if (client.usedTemp) {
      await this.#leaveCurrent()
      const drops = client.state.temp
        .filter(({ kind }) => kind !== 'i' && kind !== 'I')
        .map(({ oid, kind }) => dropTemp(kind, `${client.prefix}t${oid}`))
      // apart: a message is a transaction, and one that begins in a session that reads only cannot drop
      await this.sql(`${BECOME_SERVER}; reset all`)
      if (drops.length) await this.sql(drops.join(';'))
      this.#current = null
      this.#key = ''
    } else if (this.#current === client && client.dirty) {
      this.#current = null
      this.#key = ''
    }
  }

  async #discard(data) {
    await this.#engine.run(data, (_chunk, delivered) => delivered())
  }

  /** Saves the state of the client whose session is in the engine and moves its temporary tables out of the way. */
  async #leaveCurrent() {
    const client = this.#current
    if (!client?.dirty) return
    const custom = [...this.#customSettings].map(quoteLiteral).join(', ')
    const [[user, role], [settings, temp]] = await this.sql(`
      select session_user, pg_catalog.current_setting('role');
      ${BECOME_SERVER};
      select (select pg_catalog.json_object_agg(name, setting) from pg_catalog.pg_settings
              -- TimescaleDB sets it when it loads its second library, and takes it from nobody
              where source = 'session' and name <> 'timescaledb.license'),
             (select pg_catalog.json_agg(pg_catalog.json_build_object('oid', oid, 'name', relname, 'kind', relkind))
              from pg_catalog.pg_class where relnamespace = pg_catalog.pg_my_temp_schema()
              and relkind in ('r', 'v', 'S', 'i', 'p', 'I') and relname !~ '${STOWED}'),
             -- pg_settings lists a setting that anybody declared, and it may be one that takes no value
             (select pg_catalog.json_object_agg(name, pg_catalog.current_setting(name))
              from pg_catalog.unnest(array[${custom}]::text[]) as named (name)
              where pg_catalog.current_setting(name, true) <> ''
              and name not in (select s.name from pg_catalog.pg_settings as s))`,
    ).then(([first, [set, tables, named]]) => [
      first,
      [{ ...JSON.parse(set ?? '{}'), ...JSON.parse(named ?? '{}') }, JSON.parse(tables ?? '[]')],
    ])
    client.state = { user, role, settings, temp }
    client.dirty = false
    client.usedTemp = temp.length > 0
    if (temp.length) {
      // a message is a transaction, and this one writes
      await this.sql('set default_transaction_read_only = off')
      await this.sql(
        temp
          .map(({ oid, name }) => `alter table pg_temp.${quoteIdentifier(name)} rename to ${client.prefix}t${oid}`)
          .join(';'),
      )
    }
    this.#current = null
    this.#key = ''
  }

  async #apply(client) {
    const { user, role, settings, temp } = client.state
    const key = JSON.stringify([user, role, Object.entries(settings).sort()])
    if (key !== this.#key || temp.length) {
      const values = Object.entries(settings).map(([n, v]) => `(${quoteLiteral(n)}, ${quoteLiteral(v)})`)
      const steps = [BECOME_SERVER, 'reset all']
      // of its own: of the one before, who may read only, a transaction that begins with this could not write
      if (temp.length) await this.sql(steps.splice(0).join(';'))
      for (const { oid, name } of temp) {
        steps.push(`alter table if exists pg_temp.${client.prefix}t${oid} rename to ${quoteIdentifier(name)}`)
      }
      steps.push(
        `select count(pg_catalog.set_config(name, value, false)) from (values ${values.join(', ')}) as s (name, value)`,
      )
      if (user !== 'postgres') steps.push(`set session authorization ${quoteIdentifier(user)}`)
      if (role !== 'none') steps.push(`set role ${quoteIdentifier(role)}`)
      this.#current = null
      this.#key = ''
      await this.sql(steps.join(';'))
      this.#key = key
    }
    this.#current = client
    // Temporary tables were given their names back: they must be put away again.
    if (temp.length) client.dirty = true
  }

  async #restoreStartup(client) {
    const values = Object.entries({ ...DEFAULTS, ...client.startup })
      .map(([name, value]) => `(${quoteLiteral(name)}, ${quoteLiteral(value)})`)
      .join(', ')
    const [[found, role]] = await this.sql("select session_user, pg_catalog.current_setting('role')")
    // DISCARD ALL makes the engine's own superuser the session user.
    const user = found === 'postgres' ? client.user : found
    const steps = [
      BECOME_SERVER,
      `select count(pg_catalog.set_config(d.name, d.value, false)) from (values ${values}) as d (name, value)
       left join pg_catalog.pg_settings as s on pg_catalog.lower(s.name) = pg_catalog.lower(d.name)
       where s.source is distinct from 'session'`,
    ]
    if (user !== 'postgres') steps.push(`set session authorization ${quoteIdentifier(user)}`)
    if (role !== 'none') steps.push(`set role ${quoteIdentifier(role)}`)
    await this.sql(steps.join(';'))
  }

  async #parameters() {
    const columns = REPORTED.map((name) => `pg_catalog.current_setting('${name}')`)
    columns.push("1000 * extract(epoch from pg_catalog.current_setting('statement_timeout')::interval)")
    const [row] = await this.sql(`select ${columns.join(', ')}`)
    return {
      parameters: Object.fromEntries(REPORTED.map((name, i) => [name, row[i]])),
      timeoutMs: Number(row.at(-1)),
    }
  }
}

function initialState(client, preset) {
  return { user: client.user, role: 'none', settings: { ...DEFAULTS, ...preset, ...client.startup }, temp: [] }
}

function dropTemp(kind, name) {
  const what = { v: 'view', S: 'sequence' }[kind] ?? 'table'
  return `drop ${what} if exists pg_temp.${name} cascade`
}

function withSql(parse, sql) {
  const [name, afterName] = cString(parse, 5)
  const afterSql = cString(parse, afterName)[1]
  return message('P', name, sql, parse.subarray(afterSql))
}

/** Settings in a start-up packet: named ones and those in `options` (-c name=value, --name=value). */
function startupSettings({ user, database, replication, options = '', ...rest }) {
  const settings = {}
  for (const [name, value] of Object.entries(rest)) if (!name.startsWith('_pq_.')) settings[name] = value
  const words = (options.match(/(?:\\.|\S)+/g) ?? []).map((word) => word.replace(/\\(.)/g, '$1'))
  for (let i = 0; i < words.length; i++) {
    const word = words[i] === '-c' ? words[++i] ?? '' : words[i].replace(/^(?:-c|--)/, '')
    const equals = word.indexOf('=')
    if (equals < 1) throw new EngineError({ C: '42601', M: `cannot read start-up option "${words[i]}"` })
    settings[word.slice(0, equals).replaceAll('-', '_')] = word.slice(equals + 1)
  }
  return settings
}
