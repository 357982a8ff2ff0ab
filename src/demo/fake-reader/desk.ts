/**
 * The hands at the fake reader: a page that puts a synthetic person's card down, lifts it, and troubles the line. The
 * camera above it is here too, and who stands before it.
 */
import express, { Router } from 'express'
import { escaped, demoDocument } from '#src/demo/page.ts'
import { castMember, readPopulation } from '#src/demo/cast.ts'
import { createFakeCamera, scenes, type Scene } from '#src/demo/fake-camera/camera.ts'
import { portraitIn, type Portrait } from '#src/demo/fake-camera/portraits.ts'
import { cardOf, conditions, type Condition } from './cards.ts'
import type { FakeReader } from './sam.ts'

const troubles = {
  none: { zh: '正常', en: 'fine', spoil: 0, spoilt: 0, delayMs: 0, silent: false },
  checksum: { zh: '255次校验错', en: '255 wrong checksums', spoil: 1, spoilt: 255, delayMs: 0, silent: false },
  slow: { zh: '慢', en: 'slow', spoil: 0, spoilt: 0, delayMs: 1_000, silent: false },
  silent: { zh: '不应答', en: 'silent', spoil: 0, spoilt: 0, delayMs: 0, silent: true },
} as const
type Trouble = keyof typeof troubles

const choices = (of: Readonly<Record<string, { readonly zh: string; readonly en: string }>>, chosen?: string) =>
  Object.entries(of)
    .map(([value, { zh, en }]) => `<option value="${value}"${value === chosen ? ' selected' : ''}>${zh} ${en}</option>`)
    .join('')

/** @param population file of the synthetic people */
export function createDesk(reader: FakeReader, population: string | URL): Router {
  const router = Router()
  let lying: string | undefined
  let trouble: Trouble = 'none'
  let holder: Portrait | undefined
  const camera = createFakeCamera(() => holder)

  router.get('/', async (_request, response) => {
    const { people } = await readPopulation(population)
    // A residence permit of the cast would have its own layout; the cast has none.
    const persons = people.map(({ key, name }) => `<option value="${key}">${escaped(name)} ${key}</option>`).join('')
    const shown = reader.card && lying ? `读卡器上：${escaped(lying)}` : '读卡器上没有卡 No card on the reader'
    const { zh, en } = troubles[trouble]
    const body = `<h1>演示读卡器和摄像头</h1><p class="sub">The fake card reader and camera of the terminal</p><p class="ok" role="status">${shown}</p><form method="post" action="place">
<p><label for="person">谁的身份证 Whose card</label><br><select id="person" name="person">${persons}</select></p>
<p><label for="condition">这张证 The card is</label><br><select id="condition" name="condition">${choices(conditions)}</select></p>
<p><button class="do">放到读卡器上 Put it on the reader</button></p></form>
<form method="post" action="lift"><p><button>拿走 Take it away</button></p></form>
<form method="post" action="trouble"><p><label for="trouble">读卡器 The reader is：${zh} ${en}</label><br>
<select id="trouble" name="trouble">${choices(troubles, trouble)}</select> <button>改成这样 Change</button></p></form>
<form method="post" action="scene"><p><label for="scene">镜头前 Before the camera：${scenes[camera.scene].zh} ${scenes[camera.scene].en}</label><br>
<select id="scene" name="scene">${choices(scenes, camera.scene)}</select> <button>换成这样 Change</button></p></form>
<p class="sub">持证人是最后放上的那张证的人，会不停地转头、张嘴，不用您动手。 The holder is whose card was put down last; he turns his head and opens his mouth by himself, over and over.</p>`
    response.type('html').send(demoDocument('演示读卡器和摄像头', body))
  })

  router.get('/camera', (_request, response) => {
    if (camera.scene === 'broken') return void response.status(503).end()
    response.set('cache-control', 'no-store').type('jpeg').send(camera.picture())
  })

  router.use(express.urlencoded({ extended: false, limit: '1kb' }))
  const field = (body: unknown, name: string) => String((body as Record<string, unknown> | undefined)?.[name])

  router.post('/place', async (request, response) => {
    const member = castMember(await readPopulation(population), field(request.body, 'person'))
    const asked = field(request.body, 'condition')
    const condition = Object.hasOwn(conditions, asked) ? (asked as Condition) : 'valid'
    const card = cardOf(member, condition)
    holder = card.photo && portraitIn(card.photo)
    reader.place(card)
    lying = `${member.name}（${conditions[condition].zh}）`
    response.redirect(303, '.')
  })
  router.post('/lift', (_request, response) => {
    reader.lift()
    response.redirect(303, '.')
  })
  router.post('/trouble', (request, response) => {
    const asked = field(request.body, 'trouble')
    trouble = Object.hasOwn(troubles, asked) ? (asked as Trouble) : 'none'
    const { spoil, spoilt, delayMs, silent } = troubles[trouble]
    Object.assign(reader.behaviour, { spoil, spoilt, delayMs, silent })
    response.redirect(303, '.')
  })
  router.post('/scene', (request, response) => {
    const asked = field(request.body, 'scene')
    camera.scene = Object.hasOwn(scenes, asked) ? (asked as Scene) : 'holder'
    response.redirect(303, '.')
  })
  return router
}
