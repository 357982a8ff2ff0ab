/**
 * A face is never the only way (人脸识别技术应用安全管理办法 第十条): each level of a channel that a look at a face can
 * reach must be within reach of another way too, one that anybody may use who comes along. A way for those only who got
 * something beforehand (a passkey, a certificate) is no equal alternative. The server does not start otherwise.
 */
import { AppError } from '#src/errors.ts'
import { enough, levels, type Level } from '#src/identity/assurance.ts'
import type { Verifier } from '#src/verifiers/verifier.ts'
import type { Channel } from './channel.ts'

type Way = Pick<Verifier, 'name' | 'by' | 'cap' | 'facial' | 'enrolled' | 'consent'>

/** The levels of a channel that a face alone opens, lowest first. */
export function byFaceAlone({ top }: Pick<Channel, 'top'>, ways: readonly Way[]): readonly Level[] {
  const others = ways.filter(({ facial, enrolled }) => !facial && !enrolled)
  const reached = (some: readonly Way[], level: Level) => some.some(({ cap }) => enough(cap, level))
  const faces = ways.filter(({ facial }) => facial)
  return levels.filter((level) => enough(top, level) && reached(faces, level) && !reached(others, level))
}

/** @throws AppError `config_invalid` naming the channel, the level and what to do */
export function mustHaveAlternatives(
  channels: ReadonlyMap<string, Pick<Channel, 'name' | 'verifiers' | 'top'>>,
  verifiers: ReadonlyMap<string, Way>,
): void {
  for (const channel of channels.values()) {
    const ways = channel.verifiers.flatMap((name) => verifiers.get(name) ?? [])
    // The page from which he leaves asks for his consent, and the one whose script asks a device; no other does.
    const silent = ways.find(
      ({ by, facial, consent }) => facial && !(consent && (by === 'redirect' || by === 'device')),
    )
    if (silent)
      throw new AppError('config_invalid', {
        detail: `channels.${channel.name}.verifiers: "${silent.name}" looks at faces and does not ask first; give it a consent that names who receives them, and a page that asks for it (by "redirect" or "device")`,
      })
    const alone = byFaceAlone(channel, ways)
    if (alone.length === 0) continue
    const faces = ways.filter(({ facial }) => facial).map(({ name }) => `"${name}"`)
    throw new AppError('config_invalid', {
      detail: `channels.${channel.name}.verifiers: level ${alone.join(' and ')} would be reached by a face alone (${faces.join(', ')}); add another way that reaches it and needs nothing got beforehand, take the face out, or lower channels.${channel.name}.top`,
    })
  }
}
