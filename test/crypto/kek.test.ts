import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kekOf, openKek, type KekSource } from '#src/crypto/kek.ts'
import { isAppError } from '#src/errors.ts'
import { temporaryDirectories } from '../support/temporary.ts'

describe('The key-encryption key', () => {
  const directory = temporaryDirectories()
  const key = randomBytes(32)
  const text = key.toString('base64url')
  const due = kekOf(key).id

  const refusal = async (source: KekSource, env: Record<string, string> = {}): Promise<string> => {
    const error = await openKek(source, env).then(
      () => assert.fail('it was taken'),
      (thrown: unknown) => thrown,
    )
    assert.ok(isAppError(error, 'key_invalid'), String(error))
    assert.ok(!`${error.stack} ${JSON.stringify(error.cause ?? '')}`.includes('hunter2'), 'it quotes what it read')
    return error.detail ?? ''
  }

  /** A command that any system has; the script stands in its arguments, as it would in the settings. */
  const command = (script: string): KekSource => ({ command: [process.execPath, '--eval', script] })

  it('comes from a file, from the environment that is passed on, or from what a command prints', async () => {
    const file = join(directory(), 'kek')
    writeFileSync(file, `${text}\n`, { mode: 0o600 })
    const source = join(directory(), 'text')
    writeFileSync(source, text, { mode: 0o600 })
    for (const [from, env] of [
      [{ file }, {}],
      [{ environment: 'SEAL' }, { SEAL: text }],
      [{ command: ['cat', source] }, {}],
    ] as const)
      assert.equal((await openKek(from as KekSource, env)).id, due)
    delete process.env['SEAL']
    assert.match(await refusal({ environment: 'SEAL' }), /environment variable SEAL is not set/)
  })

  it('is refused where it is missing, readable by others or no 32 bytes, saying which', async () => {
    const where = directory()
    const file = join(where, 'kek')
    assert.match(await refusal({ file }), /kek: is missing: the key-encryption key/)
    writeFileSync(file, text, { mode: 0o600 })
    chmodSync(file, 0o640)
    assert.match(await refusal({ file }), /kek: can be read by others/)
    for (const wrong of [
      '',
      'hunter2',
      `${text}A`,
      text.slice(1),
      key.toString('hex'),
      `${'A'.repeat(42)}B`,
      `${text}\n${text}`,
    ])
      for (const [source, env] of [
        [{ environment: 'SEAL' }, { SEAL: wrong }],
        [command(`process.stdout.write(${JSON.stringify(wrong)})`), {}],
      ] as const)
        assert.match(
          await refusal(source as KekSource, env),
          /must hold 32 random bytes|is not set/,
          JSON.stringify(wrong),
        )
  })

  it('is not taken from a command that fails, and nothing it said is repeated', async () => {
    const said = `console.log('hunter2'); console.error('hunter2');`
    assert.match(await refusal(command(`${said} process.exit(3)`)), /keys\.kek: the command failed \(3\)/)
    assert.match(await refusal({ command: ['/nonexistent/program'] }), /the command failed \(ENOENT\)/)
    assert.match(await refusal(command(`${said} process.stdout.write('x'.repeat(9000))`)), /the command/)
  })

  it('waits for no command that was stopped and does not end', async () => {
    const stays = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); process.stdout.write('x'.repeat(9000))`
    assert.match(await refusal(command(stays)), /the command/)
  })

  it('runs its command without a shell', async () => {
    assert.match(await refusal({ command: ['echo', '$(id)', ';', 'id'] }), /must hold 32 random bytes/)
  })

  it('has an id that tells it from another and is none of its bytes', () => {
    const other = kekOf(randomBytes(32))
    assert.notEqual(other.id, due)
    assert.match(due, /^[0-9a-f]{16}$/)
    assert.ok(!key.toString('hex').includes(due))
  })
})
