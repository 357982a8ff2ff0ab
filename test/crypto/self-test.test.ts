import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { runSelfTest } from '#src/crypto/self-test.ts'

describe('Self-test at start-up', () => {
  it('passes here, natively', async () =>
    assert.deepEqual(await runSelfTest(), {
      sm2: 'native',
      sm2Encryption: 'native',
      sm3: 'native',
      sm4: 'native',
      sm4Gcm: 'native',
    }))

  /** What the self-test says in a process whose node:crypto was changed by `change`. */
  function saidWith(change: string): string {
    const script = `
      import crypto from 'node:crypto'
      import { syncBuiltinESMExports } from 'node:module'
      const { createVerify, createCipheriv, createPrivateKey, hash } = crypto
      ${change}
      syncBuiltinESMExports()
      const { runSelfTest } = await import('#src/crypto/self-test.ts')
      console.log(await runSelfTest().then(JSON.stringify, (error) => error.message))
    `
    const cwd = fileURLToPath(new URL('../../', import.meta.url))
    const args = ['--input-type=module', '--eval', script]
    return execFileSync(process.execPath, args, { cwd, stdio: 'pipe' }).toString().trim()
  }

  it('falls back where OpenSSL does not verify SM2', () =>
    assert.deepEqual(JSON.parse(saidWith(`crypto.createVerify = (name) => createVerify('sha256')`)), {
      sm2: 'sm-crypto',
      sm2Encryption: 'native',
      sm3: 'native',
      sm4: 'native',
      sm4Gcm: 'native',
    })).timeout(10_000)

  it('falls back where OpenSSL reads no key of a curve that is spelt out', () => {
    const refusing = `crypto.createPrivateKey = (input) => {
      if (input.key.length > 200) throw new Error('unsupported')
      return createPrivateKey(input)
    }`
    const said = JSON.parse(saidWith(refusing)) as { sm2: string; sm2Encryption: string }
    assert.deepEqual([said.sm2, said.sm2Encryption], ['native', 'bigint'])
  }).timeout(10_000)

  it('stops the start where SM4-GCM gives another answer, and names it', () =>
    assert.match(
      saidWith(`crypto.createCipheriv = (name, key, iv) =>
        createCipheriv(name, name === 'sm4-ecb' ? Buffer.alloc(16) : key, iv)`),
      /self-test of SM2, SM3, SM4-GCM failed/,
    )).timeout(10_000)

  it('stops the start where SM4 gives another answer, and names it', () =>
    assert.equal(
      saidWith(`crypto.createCipheriv = (name, key, iv) => createCipheriv(name, Buffer.alloc(16), iv)`),
      'internal: self-test of SM4 failed',
    )).timeout(10_000)

  it('stops the start where SM3 gives another answer', () =>
    assert.match(
      saidWith(`crypto.hash = (name, ...rest) => hash('sha256', ...rest)`),
      /self-test of SM2, SM3, SM4-GCM failed/,
    )).timeout(20_000)
})
