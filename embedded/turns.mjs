// Who owns the engine. First come, first served; an owner keeps it until it gives it back.

export class WaitTimeout extends Error {}
export class WaitCancelled extends Error {}

export class Turns {
  #owner = null
  #waiting = []

  get owner() {
    return this.#owner
  }

  /** Resolves when `claimant` owns the engine; throws WaitTimeout after `waitMs` (0: never). */
  acquire(claimant, waitMs) {
    if (this.#owner === claimant) return
    if (this.#owner === null) {
      this.#owner = claimant
      return
    }
    return new Promise((resolve, reject) => {
      const entry = { claimant, resolve, reject, timer: null }
      if (waitMs > 0) entry.timer = setTimeout(() => this.#remove(entry, new WaitTimeout()), waitMs)
      this.#waiting.push(entry)
    })
  }

  /** Ends a wait of `claimant` with WaitCancelled; false when it was not waiting. */
  cancel(claimant) {
    const entry = this.#waiting.find((waiting) => waiting.claimant === claimant)
    if (!entry) return false
    this.#remove(entry, new WaitCancelled())
    return true
  }

  #remove(entry, error) {
    clearTimeout(entry.timer)
    this.#waiting.splice(this.#waiting.indexOf(entry), 1)
    entry.reject(error)
  }

  release(claimant) {
    if (this.#owner !== claimant) return
    const next = this.#waiting.shift()
    this.#owner = next?.claimant ?? null
    if (next) {
      clearTimeout(next.timer)
      next.resolve()
    }
  }
}
