/**
 * Puts every change of a key on record before the key is used so: compares what there is with what this node has seen
 * last, which it keeps in the store, so that a change made while the server was down is recorded at its start.
 */
import type { KeyDescription, KeyState } from '#src/crypto/keys.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import type { AuditEvent, EventType, Recorder } from './recorder.ts'

interface Dependencies {
  readonly artifacts: Pick<SealedArtifacts, 'get' | 'put'>
  readonly recorder: Pick<Recorder, 'record'>
  /** Where the seen keys are kept. */
  readonly kind: string
  readonly node: string
}

const eventOf: Readonly<Record<KeyState, EventType>> = {
  next: 'key.published',
  active: 'key.activated',
  retired: 'key.retired',
}

const event = (type: EventType, { kid, use, alg }: KeyDescription): AuditEvent => ({
  type,
  outcome: 'ok',
  facts: { kid, use, alg },
})

/** What happened between two looks; a key first seen in a state is told by that state. */
function changes(before: readonly KeyDescription[], after: readonly KeyDescription[]): readonly AuditEvent[] {
  const found = (keys: readonly KeyDescription[], { kid }: KeyDescription) => keys.find((key) => key.kid === kid)
  const changed = after.filter((key) => found(before, key)?.state !== key.state)
  const gone = before.filter((key) => !found(after, key))
  return [...changed.map((key) => event(eventOf[key.state], key)), ...gone.map((key) => event('key.removed', key))]
}

/** Gives what records the changes since it was called last, by this process or one before. A crash may repeat some. */
export function createKeyRecord({ artifacts, recorder, kind, node }: Dependencies) {
  /** @throws AppError `audit_broken` */
  return async (keys: readonly KeyDescription[]): Promise<void> => {
    const seen = (await artifacts.get<readonly KeyDescription[]>(kind, node))?.value ?? []
    const events = changes(seen, keys)
    for (const one of events) await recorder.record(one)
    if (events.length > 0) await artifacts.put(kind, node, keys, { expiresAt: Number.MAX_SAFE_INTEGER })
  }
}
