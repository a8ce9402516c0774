// Runs TimescaleDB's jobs in the foreground: the embedded engine has no background workers. It keeps the schedule in
// memory, so every job is due once after a start. What became of each run it notes where TimescaleDB's own scheduler
// does, so that timescaledb_information.job_stats and job_errors say the same as on a server.
import { quoteLiteral } from './protocol.mjs'

const DUE = `
  select j.job_id, j.owner, extract(epoch from j.schedule_interval), extract(epoch from j.retry_period),
         coalesce(extract(epoch from j.initial_start - now()), 0)
  from timescaledb_information.jobs as j
  where j.scheduled and (j.job_id >= 1000 or j.proc_name = 'policy_job_stat_history_retention')
  order by j.job_id`
const MAX_DOUBLINGS = 6
// as TimescaleDB's scheduler: however often it has failed, a job is not left alone for longer
const MAX_INTERVALS = 5

const moment = (ms) => `to_timestamp(${ms / 1000})`

/** Notes a run in job_stats; a job that has deleted itself has none. */
const noted = ({ id, started, finished, next, failures }) => `
  insert into _timescaledb_internal.bgw_job_stat as s (
    job_id, last_start, last_finish, next_start, last_successful_finish, last_run_success, total_runs, total_duration,
    total_duration_failures, total_successes, total_failures, total_crashes, consecutive_failures, consecutive_crashes)
  select j.job_id, ${moment(started)}, ${moment(finished)}, ${moment(next)},
         ${failures ? "'-infinity'" : moment(finished)}, ${failures === 0}, 1, r.took,
         ${failures ? 'r.took' : "interval '0'"}, ${failures ? 0 : 1}, ${failures ? 1 : 0}, 0, ${failures}, 0
  from timescaledb_information.jobs as j, (select ${moment(finished)} - ${moment(started)} as took) as r
  where j.job_id = ${id}
  on conflict (job_id) do update set
    last_start = excluded.last_start,
    last_finish = excluded.last_finish,
    next_start = excluded.next_start,
    last_successful_finish = greatest(s.last_successful_finish, excluded.last_successful_finish),
    last_run_success = excluded.last_run_success,
    total_runs = s.total_runs + 1,
    total_duration = s.total_duration + excluded.total_duration,
    total_duration_failures = s.total_duration_failures + excluded.total_duration_failures,
    total_successes = s.total_successes + excluded.total_successes,
    total_failures = s.total_failures + excluded.total_failures,
    consecutive_failures = excluded.consecutive_failures`

/** Notes a failure in job_errors. */
const failed = ({ id, started, finished, error }) => {
  const { M: message = error.message, C: sqlerrcode, D: detail, H: hint } = error.fields ?? {}
  const data = JSON.stringify({ message, sqlerrcode, detail, hint })
  return `
  insert into _timescaledb_internal.bgw_job_stat_history (job_id, execution_start, execution_finish, succeeded, data)
  select j.job_id, ${moment(started)}, ${moment(finished)}, false,
         jsonb_build_object('job', to_jsonb(j), 'error_data', ${quoteLiteral(data)}::jsonb)
  from timescaledb_information.jobs as j
  where j.job_id = ${id}`
}

export class Jobs {
  #shared
  #plan = new Map()
  #timer = null
  #busy = false

  constructor(shared) {
    this.#shared = shared
  }

  start() {
    const { jobsEveryMs } = this.#shared.config
    if (jobsEveryMs > 0) this.#timer = setInterval(() => this.#look(), jobsEveryMs)
  }

  stop() {
    clearInterval(this.#timer)
    this.#timer = null
  }

  async #look() {
    if (this.#busy) return
    this.#busy = true
    try {
      const due = await this.#inTurn(() => this.#due())
      for (const job of due ?? []) {
        await this.#inTurn(() => this.#run(job))
      }
    } catch (error) {
      this.#shared.log(`jobs: ${error.message}`)
    } finally {
      this.#busy = false
    }
  }

  /** Waits its turn as clients do: beside busy ones the engine is hardly ever free when one looks. */
  async #inTurn(work) {
    const { turns } = this.#shared
    await turns.acquire(this, 0)
    try {
      // not when the server has begun to stop meanwhile
      return this.#timer === null ? undefined : await work()
    } finally {
      turns.release(this)
    }
  }

  async #due() {
    const { sessions } = this.#shared
    const [[known]] = await sessions.asServer('postgres', "select to_regclass('timescaledb_information.jobs')")
    if (known === null) return []
    const rows = await sessions.asServer('postgres', DUE)
    const now = Date.now()
    const plan = new Map()
    for (const [id, owner, every, retry, wait] of rows) {
      const job = this.#plan.get(id) ?? { id, failures: 0, next: now + Math.max(Number(wait), 0) * 1000 }
      plan.set(id, Object.assign(job, { owner, every: Number(every) * 1000, retry: Number(retry) * 1000 }))
    }
    this.#plan = plan
    return [...plan.values()].filter((job) => job.next <= now)
  }

  async #run(job) {
    const { log, sessions } = this.#shared
    const run = { id: job.id, started: Date.now(), finished: 0, next: 0, failures: 0, error: undefined }
    // somebody may have paused it while it waited for its turn
    const scheduled = `select from timescaledb_information.jobs where job_id = ${job.id} and scheduled`
    if ((await sessions.asServer('postgres', scheduled)).length === 0) return
    try {
      await sessions.asServer(job.owner, `call run_job(${job.id})`)
      job.failures = 0
      run.finished = Date.now()
      job.next = run.finished + job.every
    } catch (error) {
      const doubled = Math.max(job.retry, 1000) * 2 ** Math.min(job.failures++, MAX_DOUBLINGS)
      const wait = Math.min(doubled, MAX_INTERVALS * job.every)
      run.finished = Date.now()
      run.error = error
      job.next = run.finished + wait
      log(`job ${job.id} failed ${job.failures} time(s), next try in ${wait / 1000} s: ${error.message}`)
    }
    const took = (run.finished - run.started) / 1000
    if (took > 5) log(`job ${job.id} took ${took} s: clients waited for it`)
    const { next, failures } = job
    await sessions.asServer('postgres', noted({ ...run, next, failures }))
    if (run.error) await sessions.asServer('postgres', failed(run))
  }
}
