import { strict as assert } from 'node:assert'
import { genesis, link, type Head } from '#src/audit/chain.ts'
import { openCheckpoint, verifyTrail, type Verdict } from '#src/audit/verify.ts'
import type { Signer } from '#src/crypto/signer.ts'
import type { AuditRow, CheckpointRow } from '#src/storage/storage.ts'
import { newSigner, openTrail } from '../support/trail.ts'

interface Tables {
  rows: AuditRow[]
  checkpoints: CheckpointRow[]
}

/** The reading port over tables that somebody with full access to the store may have changed. */
const readingOf = ({ rows, checkpoints }: Tables) => {
  const after = <Row extends { node: string; seq: number }>(
    all: readonly Row[],
    node: string,
    seq: number,
    n: number,
  ) =>
    all
      .filter((row) => row.node === node && row.seq > seq)
      .sort((a, b) => a.seq - b.seq)
      .slice(0, n)
  return {
    read: async (node: string, seq: number, limit: number) => after(rows, node, seq, limit),
    checkpoints: async (node: string, seq: number, limit: number) => after(checkpoints, node, seq, limit),
    nodes: async () => [...new Set([...rows, ...checkpoints].map(({ node }) => node))],
  }
}

async function signed(signer: Signer, said: Head & { at: number }, change: object = {}, typ?: string): Promise<string> {
  const header = { alg: signer.alg, kid: signer.kid, typ: typ ?? 'audit-checkpoint+jwt' }
  const input = [header, { origin: 'yihao-audit-v1', ...said, ...change }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${input}.${Buffer.from(await signer.sign(Buffer.from(input))).toString('base64url')}`
}

describe('Verifying an audit trail', () => {
  let signer: Signer
  let original: Tables

  /** 30 records, signed at 10, 20 and 30, and 5 more that are not signed yet. */
  before(async () => {
    const trail = await openTrail()
    signer = trail.signer
    for (let n = 1; n <= 35; n += 1) {
      await trail.recorder.record({ type: 'login', outcome: 'ok', facts: { n }, person: `p${n}` })
      if (n % 10 === 0) await trail.recorder.checkpoint()
    }
    const { audit } = trail.storage
    original = {
      rows: [...(await audit.read('node-1', 0, 100))],
      checkpoints: [...(await audit.checkpoints('node-1', 0, 100))],
    }
    await trail.close()
  })

  const keys = () => [{ ...signer.publicJwk }]
  /** The verdict over a changed copy. */
  async function verdict(change: (tables: Tables) => void | Promise<void>, anchors?: string[]): Promise<Verdict> {
    const tables = structuredClone(original)
    await change(tables)
    const [found] = await verifyTrail(readingOf(tables), keys(), anchors)
    assert.ok(found)
    return found
  }
  const broken = async (fault: RegExp, change: Parameters<typeof verdict>[0], anchors?: string[]): Promise<void> => {
    const found = await verdict(change, anchors)
    assert.equal(found.intact, false)
    assert.match(found.fault ?? '', fault)
  }
  const anchor = () => original.checkpoints[2]?.jws as string

  it('finds what was not touched intact, signed up to the last checkpoint', async () => {
    const whole = { node: 'node-1', intact: true, records: 35, checkpoints: 3, signedTo: 30 }
    assert.deepEqual(await verdict(() => {}), whole)
    assert.deepEqual(await verdict(() => {}, [anchor(), original.checkpoints[0]?.jws as string]), whole)
  })

  it('finds a changed byte anywhere in the rows, and names the record', async () => {
    const column = ['at', 'reference', 'body', 'hash'] as const
    for (const [index, row] of original.rows.entries()) {
      const name = column[index % 4] as (typeof column)[number]
      const value = row[name]
      const changed = typeof value === 'number' ? value + 1 : value === undefined ? '' : flip(value, index)
      const found = await verdict(({ rows }) => void (rows[index] = { ...row, [name]: changed }))
      assert.match(found.fault ?? '', new RegExp(`^record ${row.seq} `), `${name} of ${row.seq}`)
      assert.equal(found.records, row.seq - 1)
    }
  })

  it('finds a changed byte anywhere in a checkpoint', async () => {
    const { jws } = original.checkpoints[1] as CheckpointRow
    for (let at = 0; at < jws.length; at += 7)
      await broken(/^the checkpoint at record 20 /, ({ checkpoints }) => {
        checkpoints[1] = { ...(checkpoints[1] as CheckpointRow), jws: flip(jws, at) }
      })
    await broken(/^the checkpoint at record 20 /, ({ checkpoints }) => {
      checkpoints[1] = { ...(checkpoints[1] as CheckpointRow), at: 1 }
    })
  })

  it('finds a removed row, swapped rows, an added row', async () => {
    await broken(/^record 7 /, ({ rows }) => void rows.splice(6, 1))
    await broken(/^record 1 /, ({ rows }) => void rows.splice(0, 1))
    await broken(/^record 7 /, ({ rows }) => {
      const [a, b] = [rows[6] as AuditRow, rows[7] as AuditRow]
      rows[6] = { ...b, seq: a.seq }
      rows[7] = { ...a, seq: b.seq }
    })
    for (const seq of [0, -5]) await broken(/^record 1 /, ({ rows }) => void rows.push({ ...rows[3]!, seq }))
  })

  it('finds a chain that was recomputed after a change, by the checkpoints', () =>
    broken(/checkpoint at record 10 signs something else/, (tables) => {
      tables.rows = rewritten(tables.rows)
    }))

  it('finds a checkpoint by a foreign key, also one that names ours', async () => {
    const thief = await newSigner()
    await broken(/not signed by a known key/, async (tables) => {
      tables.rows = rewritten(tables.rows)
      const { seq, hash } = tables.rows[9] as AuditRow
      const { at } = tables.checkpoints[0] as CheckpointRow
      const jws = await signed({ ...thief, kid: signer.kid }, { node: 'node-1', seq, hash, at })
      tables.checkpoints[0] = { node: 'node-1', seq, at, jws }
    })
    const tables = readingOf(original)
    const [foreign] = await verifyTrail(tables, [{ ...thief.publicJwk }])
    assert.match(foreign?.fault ?? '', /not signed by a known key/)
    const [both] = await verifyTrail(tables, [{ ...thief.publicJwk }, ...keys()])
    assert.equal(both?.intact, true, 'one of several keys is enough')
  })

  it('finds a checkpoint moved to another record, and one of another node', async () => {
    await broken(/checkpoint at record 12 signs something else/, ({ checkpoints }) => {
      checkpoints[1] = { ...(checkpoints[1] as CheckpointRow), seq: 12 }
    })
    const { seq, hash } = original.rows[19] as AuditRow
    const { at } = original.checkpoints[1] as CheckpointRow
    await broken(/signs something else/, async ({ checkpoints }) => {
      checkpoints[1] = { node: 'node-1', seq, at, jws: await signed(signer, { node: 'node-2', seq, hash, at }) }
    })
  })

  it('takes nothing else for a checkpoint that the key may have signed', async () => {
    const said = { node: 'node-1', seq: 1, hash: 'a', at: 1 }
    assert.deepEqual((await openCheckpoint(await signed(signer, said), keys()))?.hash, 'a')
    assert.equal(await openCheckpoint(await signed(signer, said, { origin: 'another' }), keys()), undefined)
    assert.equal(await openCheckpoint(await signed(signer, said, {}, 'JWT'), keys()), undefined)
    const unsigned = `${Buffer.from('{"alg":"none","typ":"audit-checkpoint+jwt"}').toString('base64url')}.e30.`
    for (const text of ['', 'a.b.c', unsigned]) assert.equal(await openCheckpoint(text, keys()), undefined)
  })

  describe('a tail cut off', () => {
    it('shows where a checkpoint signs more than is left', () =>
      broken(/checkpoint signs 30 records but 29 are here/, ({ rows }) => void rows.splice(29)))

    const cut = (tables: Tables) => {
      tables.rows.splice(20)
      tables.checkpoints.splice(2)
    }
    it('together with its checkpoints shows by an anchor, and by nothing else', async () => {
      assert.equal((await verdict(cut)).intact, true)
      await broken(/anchor signs 30 records but 20 are here/, cut, [anchor()])
    })

    it('shows for a node whose records are gone altogether', async () => {
      await broken(/signs 10 records but 0 are here/, (tables) => void (tables.rows = []))
      const wiped = (tables: Tables) => void Object.assign(tables, { rows: [], checkpoints: [] })
      await broken(/anchor signs 30 records but 0 are here/, wiped, [anchor()])
    })
  })

  it('finds a chain written anew, and signed anew by a stolen key, by the anchor', async () => {
    const anew = async (tables: Tables) => {
      tables.rows = rewritten(tables.rows)
      tables.checkpoints = await Promise.all(
        tables.checkpoints.map(async ({ seq, at }) => {
          const { hash } = tables.rows[seq - 1] as AuditRow
          return { node: 'node-1', seq, at, jws: await signed(signer, { node: 'node-1', seq, hash, at }) }
        }),
      )
    }
    assert.equal((await verdict(anew)).intact, true)
    await broken(/up to record 30 is not the one the anchor signs/, anew, [anchor()])
  })

  it('refuses an anchor that is not signed by a known key', async () => {
    const forged = await signed(await newSigner(), { node: 'node-1', seq: 30, hash: 'a', at: 1 })
    const verdicts = await verifyTrail(readingOf(original), keys(), [forged])
    assert.deepEqual(
      verdicts.map(({ node, intact }) => [node, intact]),
      [
        ['node-1', true],
        ['(anchor)', false],
      ],
    )
  })

  it('judges each node by itself', async () => {
    const other = await openTrail({ node: 'node-2', signer })
    await other.recorder.record({ type: 'login', outcome: 'ok' })
    const [row] = await other.storage.audit.read('node-2', 0, 10)
    await other.close()
    const rows = [...original.rows.slice(0, 5), { ...(row as AuditRow), at: 1 }]
    const verdicts = await verifyTrail(readingOf({ rows, checkpoints: [] }), keys())
    assert.deepEqual(
      verdicts.map(({ node, intact }) => [node, intact]),
      [
        ['node-1', true],
        ['node-2', false],
      ],
    )
  })

  it('reads more records than one page holds', async () => {
    let head: Head = genesis('node-1')
    const rows = Array.from({ length: 2500 }, (_, at) => {
      const row = link(head, { at, body: '{}' })
      head = row
      return row
    })
    const [found] = await verifyTrail(readingOf({ rows, checkpoints: [] }), keys())
    assert.deepEqual([found?.intact, found?.records], [true, 2500])
  })
})

/** The same text with another character at a place. */
function flip(text: string, at: number): string {
  const place = at % text.length
  const changed = text[place] === 'A' ? 'B' : 'A'
  return text.slice(0, place) + changed + text.slice(place + 1)
}

/** Record 3 changed, and every hash after it made to fit. */
function rewritten(rows: readonly AuditRow[]): AuditRow[] {
  let head = genesis('node-1')
  return rows.map(({ at, reference, body }, index) => {
    const row = link(head, { at, body: index === 2 ? '{"type":"logout"}' : body, ...(reference ? { reference } : {}) })
    head = row
    return row
  })
}
