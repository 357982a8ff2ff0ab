import { strict as assert } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { loadConfig, parseConfig } from '#src/config.ts'
import { AppError, isAppError } from '#src/errors.ts'
import { temporaryDirectories } from './support/temporary.ts'

const directory = resolve(import.meta.dirname, '../config')
type Settings = Record<string, Record<string, unknown>> & Record<string, unknown>

describe('The configuration', () => {
  const temporary = temporaryDirectories()

  const settings = (): Settings => structuredClone(loadConfig(directory, {})) as unknown as Settings
  /** Settings that production takes but for what has no adapter yet. */
  const production = (): Settings => {
    const all = settings()
    all['environment'] = 'production' as never
    all['issuer'] = 'https://id.sample.gov.cn' as never
    Object.assign(all['city'] as object, { name: { zh: '样例市', en: 'Sample City' } })
    Object.assign(all['demo'] as object, { enabled: false })
    Object.assign(all['channels']?.['web'] as object, { verifiers: ['sms'] })
    Object.assign(all['verifiers']?.['voice'] as object, { gateways: [] })
    Object.assign(all['crypto'] as object, { certified: false })
    Object.assign(all['keys'] as object, { kek: { file: '/etc/yihao/kek' } })
    return all
  }

  function faultsOf(parse: () => unknown): string[] {
    try {
      parse()
    } catch (error) {
      assert.ok(isAppError(error, 'config_invalid'), String(error))
      return (error.detail ?? '').trim().split(/\n\s*/)
    }
    return []
  }
  const faults = (change: (all: Settings) => void, base = settings()): string[] => {
    change(base)
    return faultsOf(() => parseConfig(base))
  }

  it('of development is whole, and frozen to its leaves', () => {
    const config = loadConfig(directory, {})
    assert.equal(config.environment, 'development')
    assert.equal(config.demo.enabled, true)
    assert.equal(config.listen.port, 3000)
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      assert.ok(Object.isFrozen(value))
      Object.values(value).forEach(walk)
    }
    walk(config)
    assert.throws(() => Object.assign(config.listen, { port: 1 }), TypeError)
  })

  it('reports every fault at once, each with its path, rules of several settings included', () => {
    const found = faults((all) => {
      all['issuer'] = 'nonsense' as never
      Object.assign(all['listen'] as object, { port: 'x', trustedProxies: ['proxy.local'], extra: 1 })
      Object.assign(all['audit'] as object, { retentionDays: 30 })
      Object.assign(all['outbox'] as object, { timeout: 60 })
      Object.assign(all['city'] as object, { accent: 'blue', complaints: 'javascript:alert(1)' })
      Object.assign(all['tokens'] as object, { code: 61, refreshTokenIdle: 999_999 })
      all['channels'] = {} as never
      all['colour'] = 'red' as never
    })
    const paths = found.map((line) => line.split(': ')[0])
    for (const path of [
      'issuer',
      'listen.port',
      'listen.trustedProxies.0',
      'listen',
      'audit.retentionDays',
      'outbox.timeout',
      'city.accent',
      'city.complaints',
      'tokens.code',
      'tokens.refreshTokenIdle',
      'channels.web',
      '(top)',
    ])
      assert.ok(paths.includes(path), `${path} is not in\n${found.join('\n')}`)
    assert.equal(paths.length, 12, found.join('\n'))
    assert.ok(found.some((line) => line.includes('"colour"')) && found.some((line) => line.includes('"extra"')))
  })

  it('names what is missing', () => {
    assert.deepEqual(
      faults((all) => delete all['audit']).map((line) => line.split(':')[0]),
      ['audit'],
    )
    for (const nothing of [undefined, null, [], 'text', 1])
      assert.notEqual(faultsOf(() => parseConfig(nothing)).length, 0)
  })

  it('says in plain words what is missing, of another kind or no setting', () => {
    const found = faults((all) => {
      delete all['city']?.['hotline']
      delete (all['crypto'] as Record<string, unknown>)['policy']
      Object.assign(all['listen'] as object, { port: '3000', prot: 1 })
      Object.assign(all['register'] as object, { http: { url: 'https://register.example.cn/' } })
      all['audit'] = [] as never
    })
    assert.deepEqual(found.sort(), [
      'audit: must be an object; see config/README.md',
      'city.hotline: is missing; see config/README.md',
      'crypto.policy: is missing; see config/README.md',
      'listen.port: must be a number; see config/README.md',
      'listen: "prot" is not a setting; see config/README.md',
      'register.http.keyFile: is missing; see config/README.md',
      'register.http.timeout: is missing; see config/README.md',
    ])
  })

  describe('of production', () => {
    const peerAt = (url: string) => ({ http: { url, keyFile: 'key', timeout: 5 } })
    const setRegister = (all: Settings, url: string) => Object.assign(all['register'] as object, peerAt(url))
    const setKek = (all: Settings, kek: object) => Object.assign(all['keys'] as object, { kek })
    const setGateways = (all: Settings, verifier: 'sms' | 'voice', gateways: readonly object[]) =>
      Object.assign(all['verifiers']?.[verifier] as object, { gateways })
    const webGateway = (url: string) => ({ kind: 'http', ...peerAt(url).http })
    const line = { host: '10.1.1.1', keyFile: 'key', timeout: 5 }
    const cmpp = { kind: 'cmpp', version: '3.0', account: '900001', serviceId: 'A', source: '1069', ...line }
    const smpp = { kind: 'smpp', systemId: 'a', source: '1069', ...line }
    const setGateway = (all: Settings, url: string) => setGateways(all, 'sms', [webGateway(url)])
    const rules: [path: string, remedy: RegExp, change: (all: Settings) => void][] = [
      ['issuer', /https/, (all) => void (all['issuer'] = 'http://localhost:3000' as never)],
      ['demo.enabled', /must be false/, (all) => Object.assign(all['demo'] as object, { enabled: true })],
      [
        'crypto.certified',
        /"certified": false/,
        (all) => delete (all['crypto'] as Record<string, unknown>)['certified'],
      ],
      ['register.kind', /"http", and register\.http\.url, keyFile and timeout/, () => {}],
      ['verifiers.sms.gateways', /http, aliyun, tencent, yunmas, smpp or cmpp/, () => {}],
      ['verifiers.voice.gateways', /a real gateway: http/, (all) => setGateways(all, 'voice', [{ kind: 'outbox' }])],
      ['issuer', /placeholder.*YIHAO_ISSUER/, (all) => void (all['issuer'] = 'https://id.example.gov.cn' as never)],
      ['city.name.zh', /placeholder/, (all) => Object.assign(all['city']?.['name'] as object, { zh: '示例市' })],
      ['register.http.url', /must be https/, (all) => setRegister(all, 'http://10.1.1.1/check')],
      ['verifiers.sms.gateways', /must be https/, (all) => setGateway(all, 'http://127.0.0.1.example.cn/sms')],
      ['verifiers.sms.gateways', /"privateLine": true/, (all) => setGateways(all, 'sms', [cmpp])],
      ['verifiers.sms.gateways', /"tls": true/, (all) => setGateways(all, 'sms', [smpp])],
      ['verifiers.voice.gateways', /must be https/, (all) => setGateways(all, 'voice', [webGateway('http://a.cn/')])],
      ['keys.kek', /name its file, environment variable or command/, (all) => void delete all['keys']?.['kek']],
      ['keys.kek.file', /a copy of that directory would hold both/, (all) => setKek(all, { file: 'keys/a/../kek' })],
    ]
    const standing = ['register.kind', 'verifiers.sms.gateways']

    for (const [path, remedy, change] of rules)
      it(`is refused for ${path}, with the remedy, and for nothing else that is right`, () => {
        const found = faults(change, production())
        const said = found.filter((line) => line.startsWith(`${path}: `))
        assert.equal(said.length, 1, found.join('\n'))
        assert.match(said[0] ?? '', remedy)
        assert.deepEqual(
          found.map((line) => line.split(': ')[0]).filter((other) => other !== path && !standing.includes(other ?? '')),
          [],
        )
      })

    it('sends to a register and a gateway by https, and by http to this machine alone', () => {
      const said = (url: string, base = production()) =>
        faults((all) => void (setRegister(all, url), setGateway(all, url)), base).filter((line) =>
          line.includes('must be https'),
        )
      const local = ['http://localhost:1/a', 'http://127.0.0.1/a', 'http://[::1]:1/a', 'HTTP://LOCALHOST/']
      for (const url of ['https://register.example.cn/', ...local]) assert.deepEqual(said(url), [], url)
      const far = ['http://register.example.cn/', 'http://localhost.example.cn/', 'http://localhost@10.0.0.1/']
      for (const url of far) assert.equal(said(url).length, 2, url)
      assert.deepEqual(said('http://register.example.cn/', settings()), [], 'development may')
    })

    it('takes a gateway that stays connected encrypted, or on a line of the city’s own', () => {
      const gateways = [{ tls: true }, { privateLine: true }].flatMap((way, at) => [
        { ...cmpp, ...way, name: `cmpp-${at}` },
        { ...smpp, ...way, name: `smpp-${at}` },
      ])
      const found = faults((all) => setGateways(all, 'sms', gateways), production())
      assert.deepEqual(
        found.filter((line) => !line.startsWith('register.kind')),
        [],
      )
    })

    it('takes the carriers’ own addresses, which are https, where the settings name none', () => {
      const templates = { code: { zh: 'SMS_1', en: 'SMS_2' }, notice: { zh: 'SMS_3', en: 'SMS_4' } }
      const cloud = { keyId: 'id', keyFile: 'key', sign: '样例市一号', templates, timeout: 5 }
      const gateways = [
        { kind: 'aliyun', algorithm: 'ACS3-HMAC-SM3', ...cloud },
        { kind: 'tencent', appId: '1400000000', ...cloud },
      ]
      const found = faults((all) => setGateways(all, 'sms', gateways), production())
      assert.deepEqual(
        found.filter((line) => !line.startsWith('register.kind')),
        [],
      )
    })

    it('reports its rules beside malformed settings', () => {
      const found = faults((all) => Object.assign(all['listen'] as object, { port: -1 }), production())
      assert.deepEqual(found.map((line) => line.split(': ')[0]).sort(), ['listen.port', ...standing].sort())
    })

    it('is what the files of production say, together with the defaults', () => {
      const found = faultsOf(() => loadConfig(directory, { YIHAO_ENVIRONMENT: 'production' }))
      assert.deepEqual(
        found.map((line) => line.split(': ')[0]).sort(),
        [...['crypto.certified', 'issuer', 'city.name.zh', 'keys.kek'], ...standing].sort(),
      )
    })
  })

  it('calls methods as the settings say, those on offer alone', () => {
    const words = { label: { zh: '网证', en: 'Network identity' } }
    const named = (path: 'all' | 'channel', name: string) =>
      faults((all) =>
        path === 'all'
          ? void (all['methods'] = { [name]: words })
          : Object.assign(all['channels']?.['kiosk'] as object, { methods: { [name]: words } }),
      )
    for (const path of ['all', 'channel'] as const) assert.deepEqual(named(path, 'sms'), [], path)
    assert.match(named('all', 'ctld').join(), /^methods: has words for a way that no channel offers/)
    assert.match(named('channel', 'ctid').join(), /^channels: has words .* that the channel does not offer/)
  })

  it('says of a platform or a verifier of the city’s own what it is', () => {
    for (const family of ['own', 'upstream']) {
      const found = faults((all) => Object.assign(all['verifiers']?.[family] as object, { there: {} }))
      assert.deepEqual(found, [
        `verifiers.${family}.there.kind: kind is missing, or none that there is; see config/README.md`,
      ])
    }
  })

  it('names gateways apart, and offers calls only where a gateway makes them', () => {
    const set = (verifier: 'sms' | 'voice', gateways: readonly object[]) =>
      faults((all) => Object.assign(all['verifiers']?.[verifier] as object, { gateways }))
    const [one, other] = [{ kind: 'outbox' }, { kind: 'outbox', name: 'other' }]
    assert.deepEqual(set('sms', [one, other]), [])
    assert.match(set('sms', [one, one])[0] ?? '', /^verifiers\.sms\.gateways: two of them have one name/)
    assert.match(set('voice', [other, other])[0] ?? '', /^verifiers\.voice\.gateways: two of them have one name/)
    assert.match(set('voice', [])[0] ?? '', /^verifiers\.voice\.gateways: is empty, and a channel offers voice/)
    assert.equal(set('sms', []).length, 1)
    assert.equal(set('voice', [{ kind: 'cmpp' }]).length, 1)
    const far = { kind: 'http', url: 'https://sms.example.cn/', keyFile: 'key', timeout: 6 }
    assert.match(set('sms', [far])[0] ?? '', /timeout/)
  })

  it('takes the key-encryption key from exactly one place, in production beside the keys but not inside', () => {
    const said = (kek: unknown, base = production()) =>
      faults((all) => Object.assign(all['keys'] as object, { kek }), base).filter((line) => line.startsWith('keys.kek'))
    for (const kek of [
      { file: 'keys-of-keys/kek' },
      { file: '../kek' },
      { environment: 'SEAL' },
      { command: ['vault', 'kek'] },
    ])
      assert.deepEqual(said(kek), [])
    assert.deepEqual(said({ file: 'keys/kek' }, settings()), [], 'development keeps it there')
    const wrong = [
      ...[{}, { file: 'a', environment: 'B' }, { command: [] }, { command: 'vault kek' }, { file: '' }],
      ...[{ environment: 'YIHAO_KEK' }, { environment: 'A B' }, 'kek', { vault: 'x' }],
    ]
    for (const kek of wrong) assert.match(said(kek)[0] ?? '', /must be exactly one of/, JSON.stringify(kek))
  })

  describe('the issuer', () => {
    const said = (issuer: unknown, port = 0) =>
      faults((all) => (Object.assign(all['listen'] as object, { port }), void (all['issuer'] = issuer as never)))
    for (const issuer of ['https://id.example.gov.cn', 'https://id.example.gov.cn:8443', 'http://localhost:1'])
      it(`may be ${issuer}`, () => assert.deepEqual(said(issuer), []))
    it('on localhost has the port that the server listens at, but behind a proxy of https', () => {
      for (const [issuer, port] of [
        ['http://localhost:3000', 3000],
        ['http://localhost', 80],
        ['https://localhost:8443', 3000],
        ['https://id.example.gov.cn', 3000],
      ] as const)
        assert.deepEqual(said(issuer, port), [], issuer)
      for (const [issuer, port] of [
        ['http://localhost:3000', 8080],
        ['http://localhost', 3000],
      ] as const)
        assert.match(
          said(issuer, port).join(),
          /^issuer: .*listen\.port; set both \(YIHAO_ISSUER, YIHAO_LISTEN__PORT\)$/,
        )
    })
    for (const issuer of [
      'https://id.example.gov.cn/',
      'https://id.example.gov.cn/path',
      'https://ID.example.gov.cn',
      'https://id.example.gov.cn:443',
      'https://user@id.example.gov.cn',
      'http://id.example.gov.cn',
      'http://localhost.example.gov.cn',
      'ftp://localhost',
      '',
      7,
    ])
      it(`may not be ${JSON.stringify(issuer)}`, () => {
        const found = said(issuer)
        assert.equal(found.length, 1)
        assert.match(found[0] ?? '', /^issuer: /)
      })
  })

  it('knows addresses and ranges of proxies, and no name or whole world', () => {
    const said = (...proxies: string[]) =>
      faults((all) => Object.assign(all['listen'] as object, { trustedProxies: proxies })).length
    assert.equal(said('127.0.0.1', '::1', '10.0.0.0/8', 'fd00::/8'), 0)
    for (const wrong of ['loopback', '0.0.0.0/0', '::/0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0', ''])
      assert.equal(said(wrong), 1, wrong)
  })

  it('does not let a session be idle longer than it lasts', () => {
    const found = faults((all) => {
      all['channels'] = { web: { verifiers: ['sms'], top: 3, session: { absolute: 60, idle: 61 } } } as never
    })
    assert.deepEqual(
      found.map((line) => line.split(': ')[0]),
      ['channels'],
    )
  })

  it('reads no cards without the certificates that vouch for terminals, nor over an open wire', () => {
    const said = (change: object) => faults((all) => Object.assign(all['verifiers']?.['idCard'] as object, change))
    assert.match(said({ roots: undefined }).join(), /^verifiers\.idCard\.roots: is missing/)
    assert.match(said({ agent: 'http://10.0.0.7:17080' }).join(), /^verifiers\.idCard\.agent: must be https/)
    assert.deepEqual(said({ agent: 'https://terminal.city.gov.cn' }), [])
  })

  it('compares no faces beside a card without saying who does, by which model and how strictly', () => {
    const face = { receiver: { zh: '大厅', en: 'Hall' }, version: '1', models: ['m-1'], threshold: 0.45 }
    const said = (given: unknown) =>
      faults((all) => Object.assign(all['verifiers']?.['idCard'] as object, { face: given })).join()
    assert.match(said(undefined), /^verifiers\.idCard\.face: is missing, and a channel offers card-face/)
    assert.equal(said(face), '')
    for (const [member, wrong] of [
      ...([
        ['threshold', 0],
        ['threshold', 1.1],
        ['models', []],
        ['version', ''],
        ['version', 'a b'],
      ] as const),
      ...([
        ['receiver', { zh: '大厅' }],
        ['seconds', 121],
        ['level', 3],
        ['cap', 3],
      ] as const),
    ])
      assert.match(said({ ...face, [member]: wrong }), /verifiers\.idCard\.face/, `${member} ${JSON.stringify(wrong)}`)
  })

  it('takes no passkeys where the issuer is an address: they belong to a host name', () => {
    const said = (issuer: string, verifiers: readonly string[]) =>
      faults((all) => {
        all['issuer'] = issuer as never
        all['channels'] = { web: { verifiers, top: 3, session: { absolute: 60, idle: 60 } } } as never
      })
    for (const address of ['https://10.0.0.1', 'https://[fd00::1]']) {
      assert.match(said(address, ['sms', 'passkey']).join(), /^channels: .*host name/)
      assert.deepEqual(said(address, ['sms']), [])
    }
    assert.deepEqual(said('https://id.city.gov.cn', ['sms', 'passkey']), [])
  })

  describe('from the environment', () => {
    const load = (env: Record<string, string>) => loadConfig(directory, env)

    it('maps YIHAO_A__B_C to a.bC, with values as JSON', () => {
      const config = load({
        YIHAO_LISTEN__PORT: '8080',
        YIHAO_ISSUER: 'http://localhost:8080',
        YIHAO_LISTEN__TRUSTED_PROXIES: '["10.0.0.1"]',
        YIHAO_AUDIT__CHECKPOINT_SECONDS: '30',
        YIHAO_DEMO__ENABLED: 'false',
        YIHAO_CITY__NAME__ZH: '样例市',
        YIHAO_VERIFIERS__SMS__PER_PHONE_DAILY: '3',
        YIHAO_OUTBOX: '{"timeout":7}',
        PATH: '/bin',
      })
      assert.equal(config.listen.port, 8080)
      assert.deepEqual(config.listen.trustedProxies, ['10.0.0.1'])
      assert.equal(config.audit.checkpointSeconds, 30)
      assert.equal(config.demo.enabled, false)
      assert.deepEqual(config.city.name, { zh: '样例市', en: 'Example City' })
      assert.equal(config.verifiers.sms.perPhoneDaily, 3)
      assert.deepEqual(config.outbox, { internalHosts: ['localhost'], timeout: 7, giveUpAfter: 86400 })
    })

    it('takes as text what overrides a text, though it looks like a number', () => {
      const config = load({
        YIHAO_CITY__HOTLINE: '12388',
        YIHAO_CITY__OFFICE_CONTACT: '"true"',
        YIHAO_AUDIT__NODE: '7',
      })
      assert.deepEqual([config.city.hotline, config.city.officeContact, config.audit.node], ['12388', 'true', '7'])
    })

    it('gives a setting that has no default', () => {
      assert.equal(load({ YIHAO_CRYPTO__CERTIFIED: 'false' }).crypto.certified, false)
    })

    it('chooses the file, wins over it, and is checked like it', () => {
      const found = faultsOf(() =>
        load({ YIHAO_ENVIRONMENT: 'production', YIHAO_DEMO__ENABLED: 'true', YIHAO_LISTEN__PROT: '1', YIHAO_: 'x' }),
      )
      assert.ok(found.some((line) => line.startsWith('demo.enabled: ')))
      assert.ok(found.some((line) => line.includes('"prot"')))
      for (const none of ['../x', 'staging', 'Production', ''])
        assert.deepEqual(
          faultsOf(() => load({ YIHAO_ENVIRONMENT: none })),
          ['YIHAO_ENVIRONMENT: must be development or production'],
        )
    })
  })

  describe('from files', () => {
    const defaults = readFileSync(join(directory, 'default.json'), 'utf8')
    const withFiles = (files: Record<string, string>) => {
      const where = temporary()
      for (const [name, text] of Object.entries({ 'default.json': defaults, 'development.json': '{}', ...files }))
        writeFileSync(join(where, name), text)
      return () => loadConfig(where, {})
    }

    it('merges objects and replaces lists', () => {
      const text = '{"issuer":"http://localhost:1","listen":{"port":1},"outbox":{"internalHosts":["a"]}}'
      const config = withFiles({ 'development.json': text })()
      assert.deepEqual([config.listen.port, config.listen.host, config.outbox.internalHosts], [1, '127.0.0.1', ['a']])
    })

    it('refuses what is no JSON, no object, or hides under __proto__, and names the file', () => {
      assert.match(faultsOf(withFiles({ 'development.json': '{' })).join(), /development\.json is not JSON/)
      for (const text of ['[]', 'null', '7', '{"__proto__":{"demo":{"enabled":true}}}'])
        assert.throws(withFiles({ 'development.json': text }), AppError)
      assert.match(faultsOf(() => loadConfig(temporary(), {})).join(), /default\.json cannot be read/)
    })
  })

  it('is documented setting by setting in config/README.md, with its environment variable', () => {
    const readme = readFileSync(join(directory, 'README.md'), 'utf8')
    const leaves = (value: unknown, path: readonly string[]): readonly (readonly string[])[] =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]))
        : [path]
    const all = [
      ...leaves(JSON.parse(readFileSync(join(directory, 'default.json'), 'utf8')), []),
      ['environment'],
      ['crypto', 'certified'],
      ['keys', 'kek'],
    ]
    assert.ok(all.length > 40)
    for (const path of all) {
      const shown = path[0] === 'channels' ? ['channels', '<name>', ...path.slice(2)] : path
      const line = readme.split('\n').find((text) => text.startsWith(`| \`${shown.join('.')}\` `))
      assert.ok(line, `${shown.join('.')} is not documented`)
      const variable = path.map((part) => part.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join('__')
      if (path[0] !== 'channels') assert.ok(line.includes(`\`YIHAO_${variable}\``), `${path.join('.')}: its variable`)
    }
  })
})
