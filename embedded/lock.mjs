// One process per data directory.
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

function isAlive(pid) {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
  try {
    // A pid may have been given to something else since.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('server.mjs')
  } catch {
    return true
  }
}

/** Creates `<dataDir>.lock` with this pid; returns the function that removes it. Throws when a live process holds it. */
export function lockDirectory(dataDir) {
  const path = `${dataDir}.lock`
  mkdirSync(join(dataDir, '..'), { recursive: true })
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = openSync(path, 'wx')
      writeSync(file, String(process.pid))
      closeSync(file)
      return () => rmSync(path, { force: true })
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const pid = Number(readFileSync(path, 'utf8'))
    if (pid && isAlive(pid)) {
      throw new Error(`${dataDir} is in use by process ${pid}: stop it first (python -m embedded stop)`)
    }
    rmSync(path, { force: true })
  }
  throw new Error(`cannot lock ${path}`)
}
