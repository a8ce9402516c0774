// Runs TimescaleDB's jobs in the foreground: the embedded engine has no background workers. It keeps the schedule in
// memory, so every job is due once after a start.

const DUE = `
  select j.job_id, j.owner, extract(epoch from j.schedule_interval), extract(epoch from j.retry_period),
         coalesce(extract(epoch from j.initial_start - now()), 0)
  from timescaledb_information.jobs as j
  where j.scheduled and j.job_id >= 1000
  order by j.job_id`
const MAX_DOUBLINGS = 6

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
      const due = await this.#whenFree(() => this.#due())
      for (const job of due ?? []) {
        if (this.#timer === null) break
        await this.#whenFree(() => this.#run(job))
      }
    } catch (error) {
      this.#shared.log(`jobs: ${error.message}`)
    } finally {
      this.#busy = false
    }
  }

  /** Does nothing while a client owns the engine: the next look comes soon. */
  async #whenFree(work) {
    const { turns } = this.#shared
    if (turns.owner !== null) return undefined
    await turns.acquire(this, 0)
    try {
      return await work()
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
    try {
      await sessions.asServer(job.owner, `call run_job(${job.id})`)
      job.failures = 0
      job.next = Date.now() + job.every
    } catch (error) {
      const wait = Math.max(job.retry, 1000) * 2 ** Math.min(job.failures++, MAX_DOUBLINGS)
      job.next = Date.now() + wait
      log(`job ${job.id} failed ${job.failures} time(s), next try in ${wait / 1000} s: ${error.message}`)
    }
  }
}
