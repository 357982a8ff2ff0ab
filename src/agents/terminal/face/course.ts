/**
 * The course of a comparison, frame by frame: look into the camera and be who the card shows, move as asked, look once
 * more. It is one person throughout: a face must stay where it was from frame to frame, and whoever is lost from sight, or
 * joined by somebody, begins anew. Pure: what was seen in, what comes next out.
 */
import type { Action, Pose } from './pose.ts'

export type Step = 'look' | Action
export type See = 'nobody' | 'many' | 'far' | 'ok'
export type Outcome = 'match' | 'mismatch' | 'no-face' | 'actions'

export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** What was seen in one picture. */
export interface Frame {
  /** Milliseconds. */
  readonly at: number
  readonly faces: number
  /** Of the largest face, in shares of the picture's width and height. */
  readonly box?: Box
  readonly pose?: Pose
  /** From the card's photo; only of a face that is held as the step wants it. */
  readonly distance?: number
}

export interface Course {
  readonly steps: readonly Step[]
  /** Which step is due. */
  readonly due: number
  readonly see: See
  /** Where the face was last. */
  readonly held?: { readonly box: Box; readonly at: number }
  /** A picture without it has come since. */
  readonly missed: boolean
  /** Pictures of somebody else to the front; a new beginning does not take them back. */
  readonly others: number
  /** Whether the holder has looked into the camera once. */
  readonly known: boolean
  readonly outcome?: Outcome
}

/** Below this share of the picture's width a face is too far away to be compared. */
const nearest = 0.2
/** Of both boxes together, how much they must have in common. */
const overlap = 0.3
/** How long a face may be out of sight, and how long there may be no picture at all. */
const lostMs = 1_000
const blindMs = 3_000
const mostOthers = 4
/**
 * Who moves must be known as well, or one could hold up a picture of another to be looked at, and move oneself in between.
 * A photo on a card is to the front, so a face that is turned is farther from it, and an open mouth a little.
 */
const slack: Readonly<Record<Action, number>> = { left: 0.15, right: 0.15, mouth: 0.05 }

export const beginCourse = (actions: readonly Action[]): Course => ({
  ...{ steps: ['look', ...actions, 'look'], due: 0, see: 'nobody', missed: false, others: 0, known: false },
})

/** How the face must be held to be compared in this step. */
export const poseFor = (step: Step): Pose => (step === 'look' ? 'front' : step)

export const stepOf = ({ steps, due }: Course): Step => steps[due] ?? 'look'

const anew = (course: Course): Course => ({ ...course, due: 0, held: undefined })

function seen({ faces, box }: Frame): See {
  if (faces > 1) return 'many'
  if (faces === 0 || !box) return 'nobody'
  return box.width < nearest ? 'far' : 'ok'
}

export function common(one: Box, other: Box): number {
  const across = Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x)
  const down = Math.min(one.y + one.height, other.y + other.height) - Math.max(one.y, other.y)
  const both = Math.max(0, across) * Math.max(0, down)
  return both / (one.width * one.height + other.width * other.height - both)
}

/** Whether this is the face that was there before. */
const goesOn = ({ held, missed }: Course, { at, box }: Frame): boolean =>
  held !== undefined &&
  box !== undefined &&
  at - held.at <= (missed ? lostMs : blindMs) &&
  common(held.box, box) >= overlap

export function advance(course: Course, frame: Frame, threshold: number): Course {
  if (course.outcome) return course
  const see = seen(frame)
  if (see !== 'ok' || !frame.box) {
    const lost = see === 'many' || !course.held || frame.at - course.held.at > lostMs
    return { ...(lost ? anew(course) : course), see, missed: true }
  }
  const { at, box } = frame
  const here = { ...(goesOn(course, frame) ? course : anew(course)), see, missed: false, held: { at, box } }
  return stepOf(here) === 'look' ? looked(here, frame, threshold) : moved(here, frame, threshold)
}

function looked(course: Course, { pose, distance }: Frame, threshold: number): Course {
  if (pose !== 'front' || distance === undefined) return course
  // A distance that is no number is none within the threshold.
  if (distance <= threshold) return passed({ ...course, known: true })
  const others = course.others + 1
  return { ...anew(course), others, ...(others >= mostOthers ? { outcome: 'mismatch' as const } : {}) }
}

/** Somebody else's movement is none; it is not held against the holder, whose head may have been turned too far. */
function moved(course: Course, { pose, distance }: Frame, threshold: number): Course {
  const step = stepOf(course)
  if (step === 'look' || pose !== step || distance === undefined) return course
  return distance <= threshold + slack[step] ? passed(course) : course
}

function passed(course: Course): Course {
  const due = course.due + 1
  return due < course.steps.length ? { ...course, due } : { ...course, outcome: 'match' }
}

/** What it comes to when the time is over. */
export function endOf({ outcome, known, others }: Course): Outcome {
  if (outcome) return outcome
  if (known) return 'actions'
  return others > 0 ? 'mismatch' : 'no-face'
}
