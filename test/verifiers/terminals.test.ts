import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sm3 } from 'jose'
import { isAppError } from '#src/errors.ts'
import { followTerminals, isCertificateOf, readTerminals } from '#src/verifiers/id-card/terminals.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const channels = new Set(['web', 'kiosk'])
const certificate = Buffer.from('a certificate')
const digest = sm3(certificate).toString('hex')
const other = 'b'.repeat(64)

const row = (over: object = {}) => ({
  ...{ id: 'hall-1', name: { zh: '自助终端', en: 'Kiosk' }, place: '政务大厅一层', channel: 'kiosk', status: 'active' },
  ...{ sam: '05.01-20200101-0000000001', certificate: `sm3:${digest}` },
  ...over,
})

describe('The files of the terminals', () => {
  const temporary = temporaryDirectories()
  const write = (directory: string, name: string, content: object | string) =>
    writeFileSync(join(directory, name), typeof content === 'string' ? content : JSON.stringify(content))
  const within = (files: Readonly<Record<string, object | string>>) => {
    const directory = temporary()
    for (const [name, content] of Object.entries(files)) write(directory, name, content)
    return directory
  }

  it('give each terminal by its id', () => {
    const directory = within({ 'hall-1.json': row(), 'README.md': 'not one' })
    assert.deepEqual(readTerminals(directory, channels), [row()])
  })

  it('name a certificate as openssl prints its fingerprint, by either digest', () => {
    const sha256 = createHash('sha256').update(certificate).digest('hex')
    const printed = (hex: string) => hex.toUpperCase().match(/../g)?.join(':')
    for (const named of [`sm3:${printed(digest)}`, `sha256:${printed(sha256)}`, `SHA256:${sha256}`]) {
      const [terminal] = readTerminals(within({ 'hall-1.json': row({ certificate: named }) }), channels)
      assert.ok(terminal && isCertificateOf(terminal, certificate), named)
      assert.ok(!isCertificateOf(terminal, Buffer.from('another')))
    }
  })

  const second = row({ id: 'hall-2', sam: 'another', certificate: `sm3:${other}` })
  const faults: readonly (readonly [string, RegExp, Readonly<Record<string, object | string>>])[] = [
    ['is no JSON', /hall-1\.json: /, { 'hall-1.json': '{' }],
    ['lacks its SAM', /hall-1\.json: sam/, { 'hall-1.json': row({ sam: undefined }) }],
    ['says more than is known', /hall-1\.json: .*spare/, { 'hall-1.json': row({ spare: 1 }) }],
    ['has no fingerprint', /certificate: must be sm3/, { 'hall-1.json': row({ certificate: 'demo' }) }],
    ['has a fingerprint cut short', /certificate: must/, { 'hall-1.json': row({ certificate: 'sm3:abcd' }) }],
    ['is of a channel that there is not', /no channel moon/, { 'hall-1.json': row({ channel: 'moon' }) }],
    ['has another id than its name', /id: is hall-1/, { 'hall-9.json': row() }],
    [
      'has another’s SAM',
      /sam: is that of hall-1/,
      { 'hall-1.json': row(), 'hall-2.json': { ...second, sam: row().sam } },
    ],
    [
      'has another’s certificate',
      /certificate: is that of hall-1/,
      { 'hall-1.json': row(), 'hall-2.json': { ...second, certificate: row().certificate } },
    ],
  ]
  const following = (directory: string, reported: unknown[] = [], lookEveryMs = 10) =>
    followTerminals({ directory, channels, onFault: (error) => reported.push(error), lookEveryMs })
  for (const [what, said, files] of faults) {
    it(`let nothing start where one ${what}`, () => {
      assert.throws(
        () => following(within(files)),
        (error) => isAppError(error, 'config_invalid') && said.test(error.detail ?? ''),
      )
    })
  }

  it('let nothing start where their directory is missing', () => {
    assert.throws(
      () => following(join(temporary(), 'none')),
      (error) => isAppError(error, 'config_invalid'),
    )
  })

  it('are followed: one is added, revoked, and gone without a restart', async () => {
    const directory = within({ 'hall-1.json': row() })
    const terminals = following(directory)
    const until = async (holds: () => boolean) => {
      const started = performance.now()
      while (!holds()) {
        assert.ok(performance.now() - started < 5_000)
        await new Promise((done) => setTimeout(done, 5))
      }
    }
    try {
      write(directory, 'hall-2.json', second)
      await until(() => terminals.find('hall-2')?.status === 'active')
      write(directory, 'hall-2.json', { ...second, status: 'revoked' })
      await until(() => terminals.find('hall-2')?.status === 'revoked')
      rmSync(join(directory, 'hall-2.json'))
      await until(() => terminals.find('hall-2') === undefined)
      assert.equal(terminals.find('hall-1')?.status, 'active')
    } finally {
      terminals.stop()
    }
  })

  it('keep what was last good where one becomes faulty, say so once, and go on when it is mended', async () => {
    const directory = within({ 'hall-1.json': row() })
    const reported: unknown[] = []
    const terminals = following(directory, reported)
    const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))
    try {
      write(directory, 'hall-1.json', '{ "id": ')
      while (reported.length === 0) await pause(5)
      await pause(60)
      assert.equal(reported.length, 1)
      assert.equal(terminals.find('hall-1')?.place, row().place)
      write(directory, 'hall-1.json', row({ place: '图书馆' }))
      while (terminals.find('hall-1')?.place !== '图书馆') await pause(5)
      rmSync(directory, { recursive: true })
      while (reported.length === 1) await pause(5)
      assert.equal(terminals.find('hall-1')?.place, '图书馆')
      mkdirSync(directory)
    } finally {
      terminals.stop()
    }
  })
})
