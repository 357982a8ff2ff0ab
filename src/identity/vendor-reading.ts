/**
 * What the programs of card reader vendors tell a page on the loopback, in their four shapes (新中新 Synjones, 华视 CVR,
 * 精伦 Routon, 中控 ZK), in one normal form. Nobody signs it and any page can invent it: it saves typing in a form, whose
 * fields the citizen or clerk sees, and is evidence of nothing.
 */
import { z } from 'zod'
import { parseDocument, type DocumentKind } from './id-number.ts'
import { parseName } from './name.ts'

/** What a form of name and number asks. */
export interface Prefill {
  readonly kind: DocumentKind
  readonly name: string
  readonly number: string
}

const said = z.string().max(200).optional().catch(undefined)
const card = { certType: said, partyName: said, certNumber: said }
const cvrOrRoutonCard = z.object(card)

/** Names, numbers and marks as each of them calls them; success is said in as many ways. */
const shapes = [
  z
    .object({ retcode: z.string().regex(/^0x90/), name: said, cardno: said, CardType: said, EngName: said })
    .transform(({ name, cardno, CardType, EngName }) => ({
      // CardType 0 resident, 1 foreigner of 2017, 2 residence permit, 3 foreigner of 2023.
      ...{ name: CardType === '1' || CardType === '3' ? EngName || name : name, number: cardno },
    })),
  z
    .object({ resultFlag: z.union([z.literal(0), z.literal('0')]), resultContent: cvrOrRoutonCard })
    .transform(({ resultContent: { partyName, certNumber } }) => ({ name: partyName, number: certNumber })),
  z
    .object({ resultFlag: z.union([z.literal(0), z.literal('0')]), ...card })
    .transform(({ partyName, certNumber }) => ({ name: partyName, number: certNumber })),
  z
    .object({ ret: z.union([z.literal(0), z.literal('0')]), Certificate: z.object({ Name: said, IDNumber: said }) })
    .transform(({ Certificate: { Name, IDNumber } }) => ({ name: Name, number: IDNumber })),
]

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What is no JSON (中控: line breaks within texts, commas too many) may still name its members one by one. */
function fromPieces(text: string): unknown {
  const member = (name: string) => new RegExp(`"${name}"\\s*:\\s*"([^"]{0,200})"`).exec(text)?.[1]
  const isRead = /"ret"\s*:\s*"?0"?\s*[,}]/.test(text)
  return isRead ? { ret: 0, Certificate: { Name: member('Name'), IDNumber: member('IDNumber') } } : undefined
}

/** A callback around the answer, where the page asked by JSONP: `name({…});` */
const unwrapped = (text: string): string => /^\s*[\w$.]+\s*\(([^]*)\)\s*;?\s*$/.exec(text)?.[1] ?? text

/** The number says what it is the number of. */
function kindOf(number: string): DocumentKind {
  if (/^8[123]0000/.test(number)) return 'hk-macao-taiwan-residence-permit'
  return /^(9|[A-Z]{3})/.test(number) ? 'foreigner-permanent-resident-card' : 'resident-id-card'
}

/** @returns nothing where no card was read, or name or number could not stand in the form */
export function readVendorAnswer(answer: string, now: number = Date.now()): Prefill | undefined {
  const text = unwrapped(answer.replace(/^\ufeff/, ''))
  const content = fromJson(text) ?? fromPieces(text)
  const found = shapes.map((shape) => shape.safeParse(content).data).find((one) => one !== undefined)
  const number = found?.number?.trim()
  if (!found?.name || !number) return undefined
  const kind = kindOf(number)
  try {
    return { kind, name: parseName(found.name), number: parseDocument(kind, number, now).number }
  } catch {
    return undefined
  }
}
