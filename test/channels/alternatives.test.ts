import assert from 'node:assert/strict'
import { byFaceAlone, mustHaveAlternatives } from '#src/channels/alternatives.ts'
import { isAppError } from '#src/errors.ts'
import type { Level } from '#src/identity/assurance.ts'

const consent = { receiver: { zh: '某中心', en: 'A centre' }, version: '1' }
const face = { name: 'face', by: 'redirect', cap: 3, facial: true, consent } as const
const sms = { name: 'sms', by: 'phone', cap: 2 } as const
const passkey = { name: 'passkey', by: 'device', cap: 3, enrolled: true } as const
const cardFace = {
  name: 'card-face',
  by: 'device',
  cap: 2,
  facial: true,
  consent: { ...consent, stays: true },
} as const
const upstream = { name: 'upstream', by: 'redirect', cap: 3 } as const

describe('a face is never the only way', () => {
  const rows: readonly [string, Level, Parameters<typeof byFaceAlone>[1], readonly Level[]][] = [
    ['alone opens every level up to its own', 4, [face], [1, 2, 3]],
    ['beside a code opens level 3 alone', 3, [sms, face], [3]],
    ['beside a code is no more than equal in a channel that ends at level 2', 2, [sms, face], []],
    ['beside a passkey, which only some have, still opens level 3 alone', 3, [sms, passkey, face], [3]],
    ['beside another way to level 3 opens nothing alone', 3, [sms, face, upstream], []],
    ['beside another face still opens level 3 alone', 3, [sms, face, { ...face, name: 'city-face' }], [3]],
    ['that proves no more than a code opens nothing alone', 3, [sms, { ...face, cap: 2 }], []],
    ['beside a card opens both of its levels alone', 2, [cardFace], [1, 2]],
    ['beside a card is no more than equal beside a code, whatever the channel reaches', 3, [sms, cardFace], []],
    ['beside a card is no way to level 3, and so no other face’s alternative', 3, [sms, cardFace, face], [3]],
    ['is not asked after where there is none', 3, [sms, passkey], []],
  ]
  for (const [what, top, ways, levels] of rows) {
    it(`a face ${what}`, () => {
      assert.deepEqual(byFaceAlone({ top }, ways), levels)
    })
  }

  const verifiers = new Map<string, Parameters<typeof byFaceAlone>[1][number]>(
    [face, sms, passkey, upstream].map((one) => [one.name, one]),
  )
  const channels = (...names: string[]) => new Map([['web', { name: 'web', top: 3 as const, verifiers: names }]])

  it('so the server does not start, and says in which channel, at which level, and what to do', () => {
    assert.throws(
      () => mustHaveAlternatives(channels('sms', 'passkey', 'face'), verifiers),
      (error) =>
        isAppError(error, 'config_invalid') &&
        /channels\.web\.verifiers: level 3 .*"face".*add another way.*channels\.web\.top/.test(error.detail ?? ''),
    )
    mustHaveAlternatives(channels('sms', 'face', 'upstream'), verifiers)
  })

  it('a face by a device that asks first is as good as one by another site', () => {
    mustHaveAlternatives(channels('sms', 'card-face'), new Map(verifiers).set('card-face', cardFace))
  })

  it('nor does it start with one that looks at faces and does not ask first', () => {
    const { consent: _, ...silent } = face
    const { consent: __, ...silentAtTheCard } = cardFace
    for (const one of [silent, { ...face, by: 'form' as const }, { ...silentAtTheCard, name: 'face' }])
      assert.throws(
        () => mustHaveAlternatives(channels('sms', 'face', 'upstream'), new Map(verifiers).set('face', one)),
        (error) => isAppError(error, 'config_invalid') && /"face" looks at faces.*consent/.test(error.detail ?? ''),
      )
  })
})
