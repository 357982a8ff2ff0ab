/** The demo city's face service keeps to what the README publishes of one, and holds nothing once it has told. */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { createFaceService } from '#src/demo/face-service.ts'
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import { createHttpFace } from '#src/verifiers/face/http-sessions.ts'

const request = {
  kind: 'resident-id-card',
  number: '690101199203051010',
  name: '刘䶮',
  locale: 'zh',
  returnTo: 'https://id.example.gov.cn/return/face?state=s',
} as const

describe('the simulated face service', () => {
  const key = randomBytes(32)
  let server: Server
  let url: string
  let now = Date.now()
  before(async () => {
    server = createServer()
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/face`
    const settings = { issuer: 'https://id.example.gov.cn', url, key, now: () => now }
    server.on('request', express().use('/face', createFaceService(settings)))
  })
  beforeEach(() => {
    now = Date.now()
  })
  after(() => void server.close())

  const sessions = (over: object = {}) => createHttpFace({ url, key, timeoutMs: 2_000, ...over })
  const act = (session: string, ending: string) =>
    fetch(`${url}/act`, { method: 'POST', body: new URLSearchParams({ session, ending }), redirect: 'manual' })
  const order = () => randomBytes(16).toString('hex')

  for (const ending of ['passed', 'failed'] as const)
    it(`tells once that it ${ending}, and knows nothing of it any more`, async () => {
      const one = { ...request, order: order() }
      const { session, url: page } = await sessions().create(one)
      assert.match(await (await fetch(page)).text(), /这里没有摄像头/)
      assert.equal((await sessions().result({ session, order: one.order })).verdict, 'unfinished')
      const back = await act(session, ending)
      assert.equal(back.headers.get('location'), request.returnTo)
      const { number, name } = one
      const told = { verdict: ending, session, order: one.order, number, name }
      assert.deepEqual(await sessions().result({ session, order: one.order }), told)
      assert.deepEqual(await sessions().result({ session, order: one.order }), { verdict: 'unknown' })
      assert.equal((await fetch(page)).status, 404)
    })

  it('gives one session for one order, and forgets it after ten minutes', async () => {
    const one = { ...request, order: order() }
    const { session } = await sessions().create(one)
    assert.equal((await sessions().create(one)).session, session)
    assert.deepEqual(await sessions().result({ session, order: order() }), { verdict: 'unknown' })
    now += 600_001
    assert.equal((await act(session, 'passed')).status, 404)
  })

  it('hears nobody who does not share its key, and sends nobody but to its city', async () => {
    await assert.rejects(sessions({ key: randomBytes(32) }).create({ ...request, order: order() }), PeerFailure)
    const elsewhere = { ...request, order: order(), returnTo: 'https://elsewhere.example/' }
    await assert.rejects(sessions().create(elsewhere), (error) => !(error instanceof PeerRefusal))
  })
})
