/** What was acknowledged survives kill -9 at any point; nothing is half there and nothing spent lives again. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { openStorage } from '#src/storage/open.ts'

const writer = join(import.meta.dirname, 'child-writer.ts')
const rounds = 30

describe('sqlite under kill -9', () => {
  let directory: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'yihao-crash-'))
  })
  after(() => rm(directory, { recursive: true }))

  async function acknowledgedUntilKilled(file: string, round: number): Promise<string[][]> {
    const child = spawn(process.execPath, [writer, file, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    const closed = once(child, 'close')
    await once(child.stdout, 'data')
    await sleep(Math.random() * 60)
    child.kill('SIGKILL')
    const [, signal] = await closed
    assert.equal(signal, 'SIGKILL', output)
    return output
      .slice(0, output.lastIndexOf('\n'))
      .split('\n')
      .map((line) => line.split(' '))
  }

  it(`loses nothing acknowledged in ${rounds} rounds, and the file stays whole`, async () => {
    const file = join(directory, 'crash.db')
    const expiresAt = Date.now() + 3_600_000
    let acknowledged = 0
    for (let round = 0; round < rounds; round += 1) {
      const lines = await acknowledgedUntilKilled(file, round)
      const said = (word: string) => lines.filter(([first]) => first === word).map(([, value]) => value ?? '')
      acknowledged += lines.length

      const storage = await openStorage({ kind: 'sqlite', file })
      for (const id of said('put'))
        assert.equal((await storage.artifacts.get('Code', id))?.payload, id.repeat(100), `round ${round}, ${id}`)
      for (const id of said('spent')) {
        assert.equal(await storage.artifacts.spend('Code', id, expiresAt), false, `round ${round}: ${id} lives again`)
        assert.ok((await storage.artifacts.get('Code', id))?.spentAt)
      }
      assert.deepEqual(said('double'), [])
      const counted = Math.max(0, ...said('counted').map(Number))
      assert.ok(((await storage.counters.get('counter', 0))?.points ?? 0) >= counted)
      const trail = await storage.audit.read('node', 0, 1_000_000)
      assert.ok(trail.length >= Math.max(0, ...said('audit').map(Number)))
      assert.ok(trail.every(({ seq, hash }, index) => seq === index + 1 && hash === String(seq)))
      await storage.close()

      const db = new DatabaseSync(file)
      assert.deepEqual({ ...db.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' })
      db.close()
    }
    assert.ok(
      acknowledged > rounds * 10,
      `only ${acknowledged} acknowledged writes: the rounds were too short to mean anything`,
    )
  }).timeout(120_000)
})
