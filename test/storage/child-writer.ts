/**
 * A server in small, for the tests that kill one: opens the file, writes without end and says on stdout what has been
 * acknowledged. With `idle` it opens the file and holds it; where it may not, it says why and ends.
 */
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAppError } from '#src/errors.ts'
import { openStorage } from '#src/storage/open.ts'

const [, , file = '', round = ''] = process.argv
const say = (line: string) => writeSync(1, `${line}\n`)
const storage = await openStorage({ kind: 'sqlite', file }).catch((error: unknown) => {
  say(isAppError(error) ? `refused ${error.code} ${error.detail}` : 'failed')
  process.exit(0)
})
say('open')
if (round === 'idle') await sleep(60_000)

const expiresAt = Date.now() + 3_600_000
let seq = (await storage.audit.last('node'))?.seq ?? 0
for (let n = 0; ; n += 1) {
  const id = `${round}.${n}`
  await Promise.all([
    storage.artifacts.put('Code', id, { payload: id.repeat(100), expiresAt }).then(() => say(`put ${id}`)),
    storage.artifacts.spend('Code', id, expiresAt).then((won) => say(won ? `spent ${id}` : `double ${id}`)),
    storage.counters.add('counter', 1, 0, expiresAt).then(({ points }) => say(`counted ${points}`)),
    ...[1, 2, 3].map((step) => {
      const row = { node: 'node', seq: seq + step, at: n, body: id, hash: `${seq + step}` }
      return storage.audit.append([row]).then(() => say(`audit ${row.seq}`))
    }),
  ])
  seq += 3
}
