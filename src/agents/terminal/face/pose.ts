/** How a head is held, from the 68 landmarks of a face. Left and right are the citizen's own. */

export const actions = ['left', 'right', 'mouth'] as const
export type Action = (typeof actions)[number]
/** `front`: into the camera, mouth closed; `between`: none of these, or on the way to one. */
export type Pose = Action | 'front' | 'between'

type Point = readonly [x: number, y: number]

const distance = ([ax, ay]: Point, [bx, by]: Point) => Math.hypot(ax - bx, ay - by)

/** Of the jaw the tip of the nose is halfway when the face is to the front, and nearer to the side it turns to. */
const turned = { right: 0.3, left: 0.7 } as const
const straight = { from: 0.37, to: 0.63 } as const
/** Between the inner lips, as a share of the mouth's width. */
const open = 0.2
const closed = 0.16

/** @param points in a picture that is not mirrored: the citizen's left is on its right */
export function poseOf(points: readonly Point[]): Pose {
  const at = (index: number) => points[index] as Point
  const [nose, jawOnLeft, jawOnRight] = [at(30), at(2), at(14)]
  const across = (nose[0] - jawOnLeft[0]) / (jawOnRight[0] - jawOnLeft[0])
  if (across > turned.left) return 'left'
  if (across < turned.right) return 'right'
  if (!(across > straight.from && across < straight.to)) return 'between'
  const mouth = distance(at(62), at(66)) / distance(at(60), at(64))
  if (mouth > open) return 'mouth'
  return mouth < closed ? 'front' : 'between'
}
