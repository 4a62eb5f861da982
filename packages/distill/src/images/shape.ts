// The sizes of images in plain arrays, and the use of each stream of random numbers that is drawn for them.

/** Sizes of one image in an array `[count, channels, height, width]`. */
export interface ImageShape {
  readonly channels: number
  readonly height: number
  readonly width: number
}

/** Stream of each use of a seed, so that no two uses share random numbers. */
export const randomStream = {
  order: 1,
  augmentation: 2,
  holdOut: 3,
  prototypes: 4,
  labels: 5,
  anchors: 6,
  components: 7,
  corruption: 8,
} as const
