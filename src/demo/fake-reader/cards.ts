/** Cards of the synthetic people of the demo city: as good ones, and as those that must be refused. */
import type { CastMember } from '#src/demo/cast.ts'
import { photoOf, portraitOf } from '#src/demo/fake-camera/portraits.ts'
import { encodeCardText, type CardText } from '#src/identity/card-text.ts'
import type { FakeCard } from './sam.ts'

export const conditions = {
  valid: { zh: '有效', en: 'valid' },
  expired: { zh: '已过期', en: 'expired' },
  'not-yet-valid': { zh: '还未生效', en: 'not yet valid' },
  damaged: { zh: '读不出', en: 'damaged' },
} as const
export type Condition = keyof typeof conditions

const isoDate = (time: number) => new Date(time).toISOString().slice(0, 10)
const year = 365 * 86_400_000

function validity(condition: Condition): Pick<CardText, 'validFrom' | 'validUntil'> {
  const [from, until] = { valid: [-2, 18], damaged: [-2, 18], expired: [-21, -1], 'not-yet-valid': [1, 21] }[condition]
  const now = Date.now()
  return { validFrom: isoDate(now + (from as number) * year), validUntil: isoDate(now + (until as number) * year) }
}

export function cardOf({ key, kind, name, number }: CastMember, condition: Condition = 'valid'): FakeCard {
  const digits = number.slice(6, 14)
  const person = {
    sex: Number(number[16]) % 2 === 1 ? '1' : '2',
    number,
    birthDate: `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`,
    ...validity(condition),
  } as const
  const text =
    kind === 'foreigner-permanent-resident-card'
      ? encodeCardText({ ...person, mark: 'Y', name: '', latinName: name, nationality: 'ESP' })
      : encodeCardText({
          ...{ ...person, mark: ' ', name },
          folk: key === 'ayiguli' ? '05' : '01',
          address: '示例市示例区演示路1号',
          authority: '示例市公安局',
        })
  return { text, photo: photoOf(portraitOf(key)), damaged: condition === 'damaged' }
}
