/**
 * A comparison of whoever stands at the terminal with the photo on his card, from the question of a page to the outcome
 * that is signed. Nothing of it stays: photo, pictures and what faces are recognised by are wiped, however it ends.
 */
import { isUnder14 } from '#src/identity/calendar.ts'
import { decodeCardText } from '#src/identity/card-text.ts'
import type { Analyser } from './analyser.ts'
import type { TakePicture } from './camera.ts'
import type { DecodePhoto } from './card-photo.ts'
import { advance, beginCourse, endOf, poseFor, stepOf, type Outcome, type See, type Step } from './course.ts'
import { openFeed } from './feed.ts'
import { modelName } from './packages.ts'
import type { Action } from './pose.ts'
import { createTries } from './tries.ts'

/** What a reading says of it; no picture, no distance. */
export interface FaceStatement {
  readonly model: string
  readonly threshold: number
  readonly actions: readonly Action[]
  readonly outcome: Outcome
}
export type FaceFault = 'too-young' | 'too-often' | 'card-fault' | 'photo-fault' | 'camera-fault' | 'left'

/** What the pages are told meanwhile: null until the camera is looked through. */
export type FaceState = { readonly step: Step; readonly see: See } | null

export interface Watcher {
  /** Valid until this comes back. */
  picture(bytes: Uint8Array): void
  end(): void
}

export interface Comparison {
  /** Wipes the photo. @throws Error where the model fails */
  compare(card: { readonly text: Uint8Array; readonly photo: Uint8Array }): Promise<FaceStatement | FaceFault>
  end(): Promise<void>
}

export interface Comparer {
  /** Undefined where none is under way. */
  state(): FaceState | undefined
  /** @param left whoever asked has gone */
  begin(actions: readonly Action[], left: AbortSignal): Comparison
  /** Shows the camera's pictures for as long as a comparison is under way; undefined where none is. */
  watch(watcher: Watcher): (() => void) | undefined
}

export interface ComparerOptions {
  readonly decode: DecodePhoto
  readonly take: TakePicture
  readonly start: () => Analyser
  readonly threshold: number
  /** How long the citizen has in front of the camera. */
  readonly forMs: number
  /** How long the camera may give no picture. */
  readonly patienceMs?: number
  readonly now?: () => number
}

/** Pictures in a row that are none, until the camera counts as broken. */
const mostBroken = 5

export function createComparer(options: ComparerOptions): Comparer {
  const { decode, take, start, threshold, forMs, patienceMs, now = Date.now } = options
  let state: FaceState | undefined
  const watchers = new Set<Watcher>()
  const tries = createTries(now)

  /** @param onFace a face was compared, and it has come to nothing */
  async function look(
    analyser: Analyser,
    { asked, left, onFace }: { asked: readonly Action[]; left: AbortSignal; onFace: () => void },
  ): Promise<Outcome | FaceFault> {
    const until = now() + forMs
    const onPicture = (bytes: Uint8Array) => watchers.forEach((watcher) => watcher.picture(bytes))
    const feed = openFeed({ take, now, onPicture, ...(patienceMs === undefined ? {} : { patienceMs }) })
    const hangUp = () => void feed.close()
    left.addEventListener('abort', hangUp)
    let course = beginCourse(asked)
    let broken = 0
    try {
      for (let moment = 0; !course.outcome && now() < until;) {
        state = { step: stepOf(course), see: course.see }
        const taken = await feed.after(moment)
        if (left.aborted) return (taken?.bytes.fill(0), 'left')
        if (!taken) return 'camera-fault'
        const seen = await analyser.frame(taken.bytes, poseFor(stepOf(course)))
        moment = now()
        broken = seen ? 0 : broken + 1
        if (broken === mostBroken) return 'camera-fault'
        if (seen) course = advance(course, { at: taken.at, ...seen }, threshold)
      }
      return left.aborted ? 'left' : endOf(course)
    } finally {
      if (course.outcome !== 'match' && (course.known || course.others > 0)) onFace()
      left.removeEventListener('abort', hangUp)
      await feed.close()
    }
  }

  /** The card's photo is shown to the analyser and to nobody else. */
  async function show(analyser: Analyser, photo: Uint8Array, left: AbortSignal): Promise<boolean> {
    const picture = await decode(photo, left)
    photo.fill(0)
    return picture !== undefined && (await analyser.photo(picture))
  }

  return {
    state: () => state,
    begin(asked, left) {
      state = null
      // It loads its model while the card is waited for.
      const analyser = start()
      // The next citizen need not wait for a picture of this one.
      left.addEventListener('abort', () => void analyser.close())
      return {
        async compare({ text, photo }) {
          try {
            const read = decodeCardText(text)
            if (!read.ok) return 'card-fault'
            // Asked before the camera is.
            if (isUnder14(read.card.birthDate, now())) return 'too-young'
            if (!tries.left(text)) return 'too-often'
            if (!(await show(analyser, photo, left))) return left.aborted ? 'left' : 'photo-fault'
            const outcome = await look(analyser, { asked, left, onFace: () => tries.count(text) })
            const faults: readonly string[] = ['camera-fault', 'left'] satisfies readonly FaceFault[]
            if (faults.includes(outcome)) return outcome as FaceFault
            return { model: modelName, threshold, actions: asked, outcome: outcome as Outcome }
          } catch (error) {
            if (left.aborted) return 'left'
            throw error
          } finally {
            photo.fill(0)
          }
        },
        async end() {
          state = undefined
          for (const watcher of watchers) watcher.end()
          watchers.clear()
          await analyser.close()
        },
      }
    },
    watch(watcher) {
      if (state === undefined) return undefined
      watchers.add(watcher)
      return () => void watchers.delete(watcher)
    },
  }
}
