// The formats of encoded images by name.

import type { Columns, EncodedFormat, Tell } from './dataset.js'
import { locateImageFolder } from './image-folder.js'
import type { Locate, Located } from './listing.js'
import { locateParquet } from './parquet.js'
import { locateWebDataset } from './webdataset.js'

const formats: Record<EncodedFormat, Locate> = {
  images: locateImageFolder,
  parquet: locateParquet,
  webdataset: locateWebDataset,
}

/** Finds the files of a data set. @throws DatasetError */
export const locateEncoded = (
  format: EncodedFormat,
  directory: string,
  columns: Columns,
  tell: Tell,
): Located => formats[format](directory, columns, tell)
