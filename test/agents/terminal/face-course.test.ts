/** The course of a comparison, frame by frame, without a model: who matched is who moves. */
import { strict as assert } from 'node:assert'
import { advance, beginCourse, endOf, stepOf, type Course, type Frame } from '#src/agents/terminal/face/course.ts'
import { poseOf } from '#src/agents/terminal/face/pose.ts'

const threshold = 0.45
const here = { x: 0.3, y: 0.2, width: 0.4, height: 0.5 }
const beside = { ...here, x: 0.05, width: 0.2 }

const same = { faces: 1, box: here, pose: 'front', distance: 0.3 } as const
const other = { faces: 1, box: here, pose: 'front', distance: 0.6 } as const
const left = { faces: 1, box: here, pose: 'left', distance: 0.5 } as const
const mouth = { faces: 1, box: here, pose: 'mouth', distance: 0.4 } as const
const nobody = { faces: 0 } as const
const two = { faces: 2, box: here, pose: 'front' } as const

type Seen = Omit<Frame, 'at'>
/** Half a second from frame to frame, unless it is said otherwise. */
function run(frames: readonly (Seen & { readonly after?: number })[]): Course {
  let at = 0
  return frames.reduce<Course>(
    (course, { after = 500, ...frame }) => advance(course, { at: (at += after), ...frame }, threshold),
    beginCourse(['left', 'mouth']),
  )
}
const due = (course: Course) => [stepOf(course), course.due, course.see]

describe('the course of a face comparison', () => {
  it('is look, both movements in their order, and look again', () => {
    const way = [same, left, mouth, same]
    const steps = way.map((_, at) => due(run(way.slice(0, at))))
    assert.deepEqual(steps, [
      ['look', 0, 'nobody'],
      ['left', 1, 'ok'],
      ['mouth', 2, 'ok'],
      ['look', 3, 'ok'],
    ])
    assert.equal(run(way).outcome, 'match')
  })

  it('takes no movement before its turn, no other one, and none instead of looking', () => {
    assert.deepEqual(due(run([left, mouth])), ['look', 0, 'ok'])
    assert.deepEqual(due(run([same, mouth])), ['left', 1, 'ok'])
    assert.deepEqual(due(run([same, { ...left, pose: 'right' }, { ...left, pose: 'between' }])), ['left', 1, 'ok'])
    assert.equal(run([same, left, mouth, left, mouth]).outcome, undefined)
  })

  it('knows nobody whose distance was not taken, is beyond the threshold, or is none', () => {
    const { distance: _, ...front } = same
    assert.equal(run([front]).due, 0)
    assert.equal(run([{ ...same, distance: 0.4500001 }]).due, 0)
    assert.equal(run([{ ...same, distance: NaN }]).due, 0)
    assert.equal(run([{ ...same, distance: 0.45 }]).due, 1)
  })

  it('ends in a mismatch after several pictures of somebody else, whatever comes in between', () => {
    assert.equal(run([other, other, other]).outcome, undefined)
    assert.equal(run([other, other, other, other]).outcome, 'mismatch')
    assert.equal(run([other, nobody, other, two, other, { ...nobody, after: 5_000 }, other]).outcome, 'mismatch')
    assert.equal(run([other, other, other, other, same, left, mouth, same]).outcome, 'mismatch', 'it is over')
  })

  it('matches whoever is known at the third try', () => {
    assert.equal(run([other, other, same, left, mouth, same]).outcome, 'match')
  })

  it('begins anew when somebody else stands there at the end', () => {
    const swapped = run([same, left, mouth, other])
    assert.deepEqual(due(swapped), ['look', 0, 'ok'])
    assert.equal(endOf(swapped), 'actions')
  })

  it('takes no movement of somebody who is not on the card, however quickly he changes places', () => {
    const { distance: _, ...unknown } = left
    for (const stranger of [unknown, { ...left, distance: 0.61 }, { ...left, distance: NaN }])
      assert.deepEqual(due(run([same, stranger, mouth, same])), ['left', 1, 'ok'])
    assert.deepEqual(due(run([same, left, { ...mouth, distance: 0.51 }, same])), ['mouth', 2, 'ok'])
  })

  it('begins anew when the face is suddenly elsewhere', () => {
    assert.deepEqual(due(run([same, { ...left, box: { ...here, x: 0.65, width: 0.3 } }])), ['look', 0, 'ok'])
    assert.deepEqual(due(run([same, left, { ...mouth, box: { ...here, y: 0.65, height: 0.3 } }])), ['look', 0, 'ok'])
    assert.deepEqual(
      due(run([same, { ...left, box: { ...here, x: 0.38 } }])),
      ['mouth', 2, 'ok'],
      'it has moved a little',
    )
    const after = run([same, { ...left, box: beside }, { ...left, box: beside }, mouth, same])
    assert.equal(after.outcome, undefined)
  })

  it('begins anew when a second one comes near, at once', () => {
    assert.deepEqual(due(run([same, two])), ['look', 0, 'many'])
    assert.deepEqual(due(run([same, { ...two, after: 50 }, { ...left, after: 50 }])), ['look', 0, 'ok'])
  })

  it('bears a face out of sight for a moment, and no longer', () => {
    assert.deepEqual(due(run([same, nobody])), ['left', 1, 'nobody'])
    assert.deepEqual(due(run([same, nobody, left])), ['mouth', 2, 'ok'])
    assert.deepEqual(due(run([same, nobody, { ...left, after: 700 }])), ['look', 0, 'ok'])
    assert.deepEqual(due(run([same, nobody, { ...nobody, after: 700 }])), ['look', 0, 'nobody'])
    assert.deepEqual(due(run([same, { ...same, box: { ...here, width: 0.15 }, after: 1_200 }])), ['look', 0, 'far'])
    const slow = { ...left, after: 2_000 }
    assert.deepEqual(due(run([same, slow])), ['mouth', 2, 'ok'], 'a slow machine is no gap')
    assert.deepEqual(due(run([same, { ...left, after: 3_500 }])), ['look', 0, 'ok'])
  })

  it('says what it comes to when the time is over', () => {
    assert.equal(endOf(run([])), 'no-face')
    assert.equal(endOf(run([nobody, left, two])), 'no-face', 'nobody looked into the camera')
    assert.equal(endOf(run([other])), 'mismatch')
    assert.equal(endOf(run([same])), 'actions')
    assert.equal(endOf(run([same, left, mouth])), 'actions')
    assert.equal(endOf(run([same, { ...nobody, after: 2_000 }])), 'actions')
    assert.equal(endOf(run([same, left, mouth, same])), 'match')
  })
})

describe('how a head is held', () => {
  /** The few landmarks that matter, on a jaw from 0 to 100. */
  const face = (nose: number, lips: number) => {
    const points = Array.from({ length: 68 }, (): [number, number] => [0, 0])
    points[14] = [100, 0]
    points[30] = [nose, 0]
    points[60] = [30, 50]
    points[64] = [70, 50]
    points[62] = [50, 50 - lips / 2]
    points[66] = [50, 50 + lips / 2]
    return poseOf(points)
  }

  it('is told by the citizen’s own left and right, as a camera sees them', () => {
    assert.equal(face(50, 2), 'front')
    // On the picture his left is on the right.
    assert.equal(face(80, 2), 'left')
    assert.equal(face(20, 2), 'right')
    assert.equal(face(50, 12), 'mouth')
    assert.equal(face(66, 2), 'between')
    assert.equal(face(50, 7), 'between')
    assert.equal(face(80, 12), 'left', 'a head that is turned has its mouth not measured')
    assert.equal(face(NaN, 2), 'between')
  })
})
