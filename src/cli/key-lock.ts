/**
 * One command at a time changes the key file. The kernel gives the lock back however a command dies, so that none is ever
 * left behind; it is the one of the store, whose room knows how (`storage/sqlite/lock.ts`).
 */
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { keyFileIn } from '../crypto/key-file.ts'
import { AppError, isAppError } from '../errors.ts'
import { lock } from '../storage/sqlite/lock.ts'

const triesEveryMs = 100
const tries = 100

/** @throws AppError `key_invalid` where another command holds it for ten seconds */
export async function holdingKeyLock<Result>(directory: string, work: () => Promise<Result>): Promise<Result> {
  for (let left = tries; ; left -= 1) {
    let release
    try {
      release = lock(join(dirname(realpathSync(keyFileIn(directory))), 'keyring'))
    } catch (error) {
      if (!isAppError(error, 'storage_unavailable')) throw error
      if (left === 0)
        throw new AppError('key_invalid', { detail: `${directory}: another command is changing the keys` })
      await sleep(triesEveryMs)
      continue
    }
    try {
      return await work()
    } finally {
      release()
    }
  }
}
