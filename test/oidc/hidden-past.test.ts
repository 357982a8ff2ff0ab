/** What was agreed to and released before an account was its owner's is hidden, however much it is. */
import { strict as assert } from 'node:assert'
import { parseApplication } from '#src/oidc/application.ts'
import { createNotices } from '#src/oidc/notices.ts'
import { createReleases } from '#src/oidc/releases.ts'
import { createSealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import type { Storage } from '#src/storage/storage.ts'
import { testApplications } from '../support/app.ts'
import { openSealedStore } from '../support/sealing.ts'

describe('the past of an account', () => {
  let storage: Storage
  /** More than the store gives at once. */
  const many = Array.from({ length: 450 }, (_, n) => `application-${n}`)

  const rooms = async () => {
    const sealed = await openSealedStore()
    storage = sealed.storage
    const artifacts = createSealedArtifacts({ artifacts: storage.artifacts, vault: sealed.vault })
    return { notices: createNotices({ artifacts }), releases: createReleases({ artifacts, retentionDays: 200 }) }
  }
  afterEach(() => storage.close())

  it('is hidden whole, and nobody else’s with it', async () => {
    const { notices, releases } = await rooms()
    const said = { claims: ['name'], refused: [] } as const
    const [first] = testApplications()
    const application = parseApplication(first, { smOnly: false, production: false, now: Date.now() })
    for (const id of many) {
      await notices.keep('p1', { ...application, id }, said)
      await releases.keep('p1', id, ['name'])
    }
    await notices.keep('p2', application, said)
    await releases.keep('p2', application.id, ['name'])
    await notices.withdrawAll('p1')
    await releases.hide('p1')
    assert.deepEqual(await notices.all('p1'), [])
    assert.deepEqual(await releases.of('p1'), [])
    assert.equal((await notices.all('p2')).length, 1)
    assert.equal((await releases.of('p2')).length, 1)
  })
})
