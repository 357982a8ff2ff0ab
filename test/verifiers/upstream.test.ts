/** Platforms above the city against providers and ticket platforms in another language, and against every lie of theirs. */
import assert from 'node:assert/strict'
import { upstream, type OidcSettings, type TicketSettings, type UpstreamSettings } from '#src/config/upstream.ts'
import { isAppError } from '#src/errors.ts'
import { guarded } from '#src/verifiers/guard.ts'
import { createUpstreamVerifier } from '#src/verifiers/upstream/index.ts'
import { providerOf } from '#src/verifiers/upstream/metadata.ts'
import { createOidcPlatform } from '#src/verifiers/upstream/oidc.ts'
import { openPlatform } from '#src/verifiers/upstream/open.ts'
import type { Platform } from '#src/verifiers/upstream/platform.ts'
import type { Begun } from '#src/verifiers/verifier.ts'
import { verifierContract } from '../contracts/verifier.ts'
import { acted, breakable, claimOf, issuer, macs, now } from '../support/national.ts'
import { startNationalPeers, type NationalPeers } from '../support/national-peers.ts'

type Kind = 'oidc-sm2' | 'oidc-es256' | 'v1' | 'v2' | 'v3'
const kinds: readonly Kind[] = ['oidc-sm2', 'oidc-es256', 'v1', 'v2', 'v3']
const oidcKinds = ['oidc-sm2', 'oidc-es256'] as const

let peers: NationalPeers
before(async () => {
  peers = await startNationalPeers(now)
})
after(() => peers.close())
beforeEach(() => peers.behave())

const common = {
  label: { zh: '示例省统一身份认证', en: 'Example Province sign-in' },
  levels: { '2': 2, '3': 3 },
  cap: 3,
  validity: 300,
  timeout: 2,
  breaker: { failures: 3, pause: 30 },
} as const

/** The settings of each platform, and what they must not be for the tests of refusals. */
function settingsOf(kind: Kind, over: object = {}): UpstreamSettings {
  const { url, files } = peers
  const gateway = (path: string, algorithm: 'hmac-sha256' | 'hmac-sm3') => ({
    ...{ kind: 'ticket', appId: 'app-1', accepted: { field: 'success', value: 'true' } },
    ...{ signInPage: `${url}/login?appId={appId}&goto={return}`, ticketField: 'ticketId' },
    signing: { kind: algorithm, accessKey: 'access-1', keyFile: files.secret },
    token: {
      ...{ url: `${url}/${path}/uc/sso/access_token?b=2&a=%E4%B8%AD`, field: 'data.accessToken' },
      body: { ticketId: '{ticket}', appId: '{appId}' },
    },
    userinfo: { url: `${url}/${path}/uc/sso/getUserInfo`, body: { token: '{token}' } },
    fields: {
      ...{ kind: 'data.personInfo.idType', number: 'data.personInfo.idNo' },
      ...{ name: 'data.personInfo.userName', level: 'data.personInfo.authLevel' },
    },
    kinds: { '1': 'resident-id-card' },
  })
  const oidc = {
    ...{ kind: 'oidc', clientId: 'yihao' },
    fields: { kind: 'user.paperstype', number: 'user.papersnumber', name: 'user.name', level: 'acr' },
    kinds: { '1': 'resident-id-card', '5': 'foreigner-permanent-resident-card' },
  }
  const first = `${url}/v1/sso/servlet/simpleauth?method=`
  const form = { servicecode: '{appId}', time: '{time}', sign: '{sign}', datatype: 'json' }
  const settings: Readonly<Record<Kind, object>> = {
    'oidc-sm2': {
      ...{ ...oidc, issuer: `${url}/oidc/sm2`, algorithms: ['SGD_SM3_SM2'], userinfo: 'signed' },
      authentication: { method: 'private_key_jwt', keyFile: files.ours, algorithm: 'SGD_SM3_SM2' },
    },
    'oidc-es256': {
      ...{ ...oidc, issuer: `${url}/oidc/es256`, algorithms: ['ES256'], userinfo: 'plain' },
      authentication: { method: 'client_secret_basic', keyFile: files.secret },
    },
    v1: {
      ...{ kind: 'ticket', appId: 'app-1', accepted: { field: 'result', value: '0' } },
      signInPage: `${url}/login?servicecode={appId}&goto={return}`,
      signing: { kind: 'md5', keyFile: files.secret },
      token: { url: `${first}ticketValidation`, encoding: 'form', body: { ...form, st: '{ticket}' }, field: 'token' },
      userinfo: { url: `${first}getUserInfo`, encoding: 'form', body: { ...form, token: '{token}' } },
      fields: { kind: 'idtype', number: 'idnum', name: 'username', level: 'authlevel' },
      kinds: { '1': 'resident-id-card' },
    },
    v2: gateway('v2', 'hmac-sha256'),
    v3: gateway('v3', 'hmac-sm3'),
  }
  const parsed = upstream.parse({ one: { ...common, ...settings[kind], ...over } })
  return parsed['one'] as UpstreamSettings
}

const verifierOf = (kind: Kind, over: object = {}, platform?: Platform) => {
  const settings = settingsOf(kind, over)
  const name = kind === 'oidc-es256' ? 'nation' : 'province'
  return createUpstreamVerifier(name, { settings, platform: platform ?? openPlatform(settings), issuer, macs })
}

/** Signs in there and gives what he comes back with, without the state. */
async function comesBack(kind: Kind, { leaveTo = '' }: Begun): Promise<Record<string, string>> {
  if (kind.startsWith('v')) {
    const { ticket = '' } = await peers.get('/ticket')
    const page = new URL(leaveTo)
    const { leg = '' } = Object.fromEntries(new URL(page.searchParams.get('goto') ?? '').searchParams)
    return { [kind === 'v1' ? 'ticket' : 'ticketId']: ticket, leg }
  }
  const answer = await fetch(leaveTo, { redirect: 'manual' })
  const { state, ...back } = Object.fromEntries(new URL(answer.headers.get('location') ?? '').searchParams)
  assert.equal(state, 'state-1')
  return back
}

async function signedIn(kind: Kind, { mode = '', person = 'yan', level = '3', over = {} } = {}) {
  const verifier = guarded(verifierOf(kind, over), { failures: 100, pauseMs: 1_000 })
  await peers.behave({ person, level })
  const begun = await verifier.begin(claimOf(), undefined)
  const back = await comesBack(kind, begun)
  await peers.behave({ mode, person, level })
  return verifier.finish(claimOf({ now: now + 1_000 }), begun.keep, back)
}

const refusal = async (kind: Kind, more: Parameters<typeof signedIn>[1]) => {
  const outcome = await signedIn(kind, more)
  return outcome.ok ? 'taken' : outcome.detail
}
const yan = { kind: 'resident-id-card', number: '690101199203051010', name: '刘䶮' } as const
const isUnavailable = (error: unknown) => isAppError(error, 'verifier_unavailable')

for (const kind of ['oidc-sm2', 'oidc-es256', 'v2'] as const) {
  verifierContract(`upstream ${kind}`, (timeoutMs) => {
    const settings = settingsOf(kind)
    // What a provider says of itself is asked before: the deadline of the contract is for what comes then.
    const warm = settings.kind === 'oidc' ? warmed(settings) : openPlatform(settings)
    const { ask, fail } = breakable(warm.ask)
    let back: Record<string, string> = {}
    const verifier = acted(verifierOf(kind, {}, { ...warm, ask }), timeoutMs, async (begun) => {
      back = await comesBack(kind, begun)
    })
    const wrong = [
      { code: 'nothing' },
      { ticket: 'T-0000000000' },
      { error: 'access_denied' },
      { ...back, iss: issuer },
    ]
    return { verifier, input: undefined, fail, asksAt: ['finish'], right: () => back, subject: yan, wrong }
  })
}

const known = new Map<string, ReturnType<typeof providerOf>>()
before(async () => {
  for (const kind of oidcKinds) {
    const settings = settingsOf(kind) as OidcSettings
    const provider = providerOf(settings)
    await provider.metadata()
    known.set(settings.issuer, provider)
  }
})
const warmed = (settings: OidcSettings): Platform => createOidcPlatform(settings, known.get(settings.issuer))

describe('upstream', () => {
  it('tells who it was by document, name and level, whatever the platform speaks', async () => {
    for (const kind of kinds) {
      const outcome = await signedIn(kind, { level: '2' })
      assert.ok(outcome.ok, `${kind}: ${JSON.stringify(outcome)}`)
      const { subject, level, amr } = outcome.evidence
      assert.deepEqual({ subject, level, amr }, { subject: yan, level: 2, amr: ['fed'] })
    }
    const maria = await signedIn('oidc-sm2', { person: 'maria' })
    assert.ok(maria.ok && 'kind' in maria.evidence.subject)
    assert.equal(maria.evidence.subject.kind, 'foreigner-permanent-resident-card')
  })

  it('never proves more than its cap, and nothing by a level that is not listed', async () => {
    for (const kind of kinds) {
      const capped = await signedIn(kind, { over: { cap: 2 } })
      assert.ok(capped.ok && capped.evidence.level === 2)
      for (const level of ['1', '4', '', 'toString', '__proto__']) {
        const outcome = await signedIn(kind, { level })
        assert.ok(!outcome.ok, `${kind} ${level}`)
        assert.equal(outcome.detail, 'level-unknown')
      }
    }
  })

  it('refuses a document it does not know or cannot read, and a missing name', async () => {
    assert.equal(await refusal('oidc-sm2', { mode: 'kind' }), 'kind-unknown')
    assert.equal(await refusal('oidc-sm2', { mode: 'bad-number' }), 'number')
    assert.equal(await refusal('oidc-es256', { mode: 'no-name' }), 'name')
    // A platform that is not asked for kinds means resident identity cards.
    assert.equal(await refusal('oidc-es256', { person: 'maria', over: { fields: withoutKind } }), 'number')
  })
  const withoutKind = { number: 'user.papersnumber', name: 'user.name', level: 'acr' }

  it('refuses whom it has from us, and a platform that is this server', async () => {
    assert.equal(await refusal('oidc-sm2', { mode: 'circle' }), 'loop')
    assert.equal(await refusal('v1', { mode: 'circle' }), 'loop')
    assert.equal(await refusal('oidc-es256', { mode: 'circle', over: { loop: { fields: ['other'] } } }), 'taken')
    for (const kind of kinds) {
      const settings = settingsOf(kind)
      const parts = { settings, platform: openPlatform(settings), issuer: peers.url, macs }
      assert.throws(
        () => createUpstreamVerifier('province', parts),
        (error) => isAppError(error, 'config_invalid'),
      )
    }
  })

  it('brings its own words, and the applications that are not offered it', () => {
    const help = { zh: '用省平台的账号', en: 'With your account of the province' }
    const verifier = guarded(verifierOf('v2', { help, notFor: ['province-portal'] }), { failures: 1, pauseMs: 1 })
    assert.deepEqual(verifier, { ...verifier, label: common.label, help, notFor: ['province-portal'] })
  })

  it('is not down because of a code or a ticket that it cannot read', async () => {
    assert.equal(await refusal('oidc-es256', { mode: 'unreadable' }), 'invalid-request')
    assert.equal(await refusal('v2', { mode: 'unreadable' }), 'status-400')
  })
})

describe('upstream by OpenID Connect', () => {
  it('sends the citizen on with code, PKCE, state and nonce, and nothing of him', async () => {
    const verifier = verifierOf('oidc-sm2', { acrValues: 'real-name', responseMode: 'form_post' })
    const { leaveTo = '', keep } = await verifier.begin(claimOf(), undefined)
    const query = Object.fromEntries(new URL(leaveTo).searchParams)
    const { nonce, code_challenge: challenge, ...rest } = query
    assert.match(challenge ?? '', /^[\w-]{43}$/)
    assert.ok(nonce && !JSON.stringify(query).includes((keep as { own: { verifier: string } }).own.verifier))
    assert.deepEqual(rest, {
      ...{ response_type: 'code', client_id: 'yihao', redirect_uri: `${issuer}/return/verifier`, state: 'state-1' },
      ...{ scope: 'openid profile', code_challenge_method: 'S256', ui_locales: 'zh-CN' },
      ...{ acr_values: 'real-name', response_mode: 'form_post' },
    })
  })

  it('refuses each lie in an ID token, with a reason of its own', async () => {
    const lies: Readonly<Record<string, string>> = {
      ...{ nonce: 'id-token-nonce', 'no-nonce': 'id-token-nonce', aud: 'id-token-aud', auds: 'id-token-azp' },
      ...{ azp: 'id-token-azp', iss: 'id-token-iss', expired: 'id-token-expired', endless: 'id-token-exp' },
      ...{ none: 'id-token-alg', hmac: 'id-token-alg', stranger: 'id-token-key', 'same-kid': 'id-token-signature' },
      ...{ sub: 'userinfo-sub' },
    }
    for (const kind of oidcKinds)
      for (const [mode, detail] of Object.entries(lies)) assert.equal(await refusal(kind, { mode }), detail, mode)
  })

  it('takes userinfo only as it was agreed, and the level from the ID token', async () => {
    assert.equal(await refusal('oidc-sm2', { mode: 'unsigned' }), 'userinfo-unsigned')
    assert.equal(await refusal('oidc-sm2', { mode: 'me-aud' }), 'userinfo-aud')
    assert.equal(await refusal('oidc-sm2', { mode: 'me-stranger' }), 'userinfo-key')
    const outcome = await signedIn('oidc-es256', { mode: 'own-level', level: '2' })
    assert.ok(outcome.ok && outcome.evidence.level === 2)
  })

  it('refuses an algorithm that the settings do not name, although the provider has its key', async () => {
    assert.equal(await refusal('oidc-sm2', { over: { algorithms: ['ES256'] } }), 'id-token-alg')
  })

  it('refuses a code twice, of another attempt, and of another provider (mix-up)', async () => {
    const verifier = verifierOf('oidc-sm2')
    const first = await verifier.begin(claimOf(), undefined)
    const second = await verifier.begin(claimOf(), undefined)
    const back = await comesBack('oidc-sm2', first)
    const finish = (keep: unknown, input: unknown) => verifier.finish(claimOf(), keep, input)
    const [a, b] = [await comesBack('oidc-sm2', second), await comesBack('oidc-sm2', first)]
    assert.deepEqual(await finish(first.keep, a), { ok: false, reason: 'mismatch', detail: 'invalid-grant' })
    assert.ok((await finish(first.keep, back)).ok)
    assert.deepEqual(await finish(first.keep, back), { ok: false, reason: 'mismatch', detail: 'invalid-grant' })
    assert.deepEqual(await finish(first.keep, { code: b['code'] }), { ok: false, reason: 'mismatch', detail: 'iss' })
    const elsewhere = { ...b, iss: `${peers.url}/oidc/es256` }
    assert.deepEqual(await finish(first.keep, elsewhere), { ok: false, reason: 'mismatch', detail: 'iss' })

    const nation = verifierOf('oidc-es256')
    const begun = await nation.begin(claimOf(), undefined)
    const mixed = await nation.finish(claimOf(), begun.keep, b)
    assert.deepEqual(mixed, { ok: false, reason: 'mismatch', detail: 'iss' })
    const stripped = await nation.finish(claimOf(), begun.keep, { code: b['code'] })
    assert.deepEqual(stripped, { ok: false, reason: 'mismatch', detail: 'invalid-grant' })
    assert.deepEqual(await nation.finish(claimOf(), first.keep, b), { ok: false, reason: 'foreign' })
  })

  it('takes no word of a browser into the trail but known ones', async () => {
    const verifier = verifierOf('oidc-es256')
    const { keep } = await verifier.begin(claimOf(), undefined)
    const told = async (error: string) => verifier.finish(claimOf(), keep, { error })
    assert.deepEqual(await told('access_denied'), { ok: false, reason: 'rejected', detail: 'access-denied' })
    assert.deepEqual(await told('刘䶮 690101'), { ok: false, reason: 'rejected', detail: 'unknown-error' })
  })

  it('is unavailable in time where the provider is dead, slow, broken or another', async () => {
    for (const mode of ['broken', 'page', 'torn', 'nothing', 'long', 'other-issuer', 'hang']) {
      await peers.behave({ mode })
      const verifier = guarded(verifierOf('oidc-sm2', { timeout: 1 }), { failures: 100, pauseMs: 1_000 })
      const started = performance.now()
      await assert.rejects(verifier.begin(claimOf(), undefined), isUnavailable, mode)
      assert.ok(performance.now() - started < 2_000, mode)
    }
    for (const mode of ['broken', 'page', 'nothing'])
      await assert.rejects(signedIn('oidc-es256', { mode }), isUnavailable, mode)
  })

  it('is unavailable where the provider does not know us', async () => {
    const keyFile = peers.files.other
    const authentication = { method: 'private_key_jwt', keyFile, algorithm: 'SGD_SM3_SM2' }
    await assert.rejects(signedIn('oidc-sm2', { over: { authentication } }), isUnavailable)
  })
})

describe('upstream by ticket', () => {
  const tickets = ['v1', 'v2', 'v3'] as const

  it('sends the citizen to the page of the settings with the way back, state and all', async () => {
    const { leaveTo = '' } = await verifierOf('v1').begin(claimOf(), undefined)
    const { searchParams } = new URL(leaveTo)
    assert.equal(searchParams.get('servicecode'), 'app-1')
    assert.match(
      searchParams.get('goto') ?? '',
      /^https:\/\/id\.example\.gov\.cn\/return\/verifier\?state=state-1&leg=[\w-]{36}$/,
    )
  })

  it('refuses a ticket twice, one that is none, and one of another platform', async () => {
    const details = { v1: 'code-6003', v2: 'code-false', v3: 'code-false' } as const
    for (const kind of tickets) {
      const verifier = verifierOf(kind)
      const begun = await verifier.begin(claimOf(), undefined)
      const back = await comesBack(kind, begun)
      assert.ok((await verifier.finish(claimOf(), begun.keep, back)).ok)
      const again = await verifier.finish(claimOf(), begun.keep, back)
      assert.deepEqual(again, { ok: false, reason: 'mismatch', detail: details[kind] })
      const other = { ...(await comesBack(kind, begun)), leg: '' }
      const swapped = await verifier.finish(claimOf(), begun.keep, other)
      assert.deepEqual(swapped, { ok: false, reason: 'mismatch', detail: 'leg' })
      const none = await verifier.finish(claimOf(), begun.keep, { ticket: 'a b', ticketId: '"' })
      assert.deepEqual(none, { ok: false, reason: 'mismatch', detail: 'malformed' })
    }
  })

  it('is unavailable where the platform does not take our signature', async () => {
    for (const kind of ['v2', 'v3'] as const) {
      const { signing } = settingsOf(kind) as TicketSettings
      const over = { signing: { ...signing, keyFile: peers.files.other } }
      await assert.rejects(signedIn(kind, { over }), isUnavailable)
    }
    const over = { signing: { kind: 'md5', keyFile: peers.files.other } }
    assert.equal(await refusal('v1', { over }), 'code-6001')
  })

  it('is unavailable in time, whatever comes instead of an answer', async () => {
    for (const mode of ['broken', 'page', 'torn', 'empty', 'nothing', 'null', 'long', 'hang']) {
      const started = performance.now()
      await assert.rejects(signedIn('v2', { mode, over: { timeout: 1 } }), isUnavailable, mode)
      assert.ok(performance.now() - started < 2_000, mode)
    }
  })
})
