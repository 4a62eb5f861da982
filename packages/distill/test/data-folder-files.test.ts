// Files in folders of images as people have them: names, links, junk, and what lies in place of an image.
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

import { describe } from 'vitest'

import { check, folders, images, type Write } from './data-cases.js'

/** A white BMP of 24 bits a pixel. */
function bmp(width: number, height: number): Buffer {
  const row = 4 * Math.ceil((3 * width) / 4)
  const bytes = Buffer.alloc(54 + row * height, 255)
  bytes.write('BM')
  for (const [at, value] of [
    [10, 54],
    [14, 40],
    [18, width],
    [22, height],
    [26, 1 | (24 << 16)],
    [30, 0],
  ] as const)
    bytes.writeUInt32LE(value, at)
  return bytes
}

describe('images', () => {
  const both = ['train', 'test']
  check('images', [
    ...['JPG', 'JpEg', 'JPEG'].map((extension) => ({
      name: `extension ${extension}`,
      make: (write: Write) => folders(write, both, { extension }),
      opens: [8, 8, 2] as const,
    })),
    {
      name: 'BMP and PNM',
      make(write) {
        folders(write, both)
        write(
          'train/cat/a.ppm',
          Buffer.concat([Buffer.from('P6\n# x\n4 4 255\n'), Buffer.alloc(48)]),
        )
        write('train/cat/b.pgm', `P2\n4 4\n15\n${'7 '.repeat(16)}`)
        write('train/dog/a.pbm', 'P1\n4 4\n0110 0110 0110 0110')
        write('train/dog/b.BMP', bmp(4, 4))
      },
      opens: [12, 8, 2],
    },
    {
      name: 'a file name that is not UTF-8',
      make(write, directory) {
        folders(write, both)
        execFileSync('bash', ['-c', `cp train/cat/0.png train/cat/$'caf\\xe9.png'`], {
          cwd: directory,
        })
      },
      opens: [9, 8, 2],
    },
    {
      name: 'a class without images',
      make(write, directory) {
        folders(write, both)
        mkdirSync(join(directory, 'train/fox'))
      },
      fails: /train: 1 of 3 classes has no training images: "fox"; add/,
    },
    {
      name: 'a class with files of unread types only',
      make(write) {
        folders(write, both)
        for (const name of ['1.jfif', '2.jfif', '3.heic']) write(`train/fox/${name}`, 'x')
      },
      fails: /1 of 3 classes has no training images: "fox" \(ignored: 2 \.jfif, 1 \.heic\)/,
    },
    {
      name: 'a class of broken links',
      make(write, directory) {
        folders(write, both)
        mkdirSync(join(directory, 'train/fox'))
        symlinkSync('/nowhere/1.png', join(directory, 'train/fox/1.png'))
      },
      fails: /no training images: "fox" \(ignored: 1 broken link\)/,
    },
    {
      name: 'junk at every depth',
      make(write) {
        folders(write, both)
        for (const path of [
          '.DS_Store',
          '__MACOSX/train/cat/._0.png',
          'train/.hidden/x.png',
          'train/__MACOSX/cat/._0.png',
          'train/@eaDir/x.png',
          'train/cat/._0.png',
          'train/cat/Thumbs.db',
          'train/cat/desktop.ini',
          'train/cat/__MACOSX/0.png',
          'train/cat/@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg',
          'train/cat/.ipynb_checkpoints/0-checkpoint.png',
          'test/dog/sub/.ipynb_checkpoints/0.png',
        ])
          write(path, 'junk')
      },
      opens: [8, 8, 2],
    },
    {
      name: 'directories that are called as images',
      make(write, directory) {
        folders(write, both)
        mkdirSync(join(directory, 'train/cat/x.jpg'))
        mkdirSync(join(directory, 'train/y.jpg'))
      },
      opens: [8, 8, 2],
    },
    {
      name: 'links that lead back',
      make(write, directory) {
        folders(write, both)
        symlinkSync('..', join(directory, 'train/cat/up'))
        symlinkSync('.', join(directory, 'train/here'))
        symlinkSync('../..', join(directory, 'test/dog/root'))
        symlinkSync('.', join(directory, 'self'))
      },
      opens: [8, 8, 2],
    },
    {
      name: 'links that lead to each other',
      make(write, directory) {
        folders(write, both)
        symlinkSync('b.png', join(directory, 'train/cat/a.png'))
        symlinkSync('a.png', join(directory, 'train/cat/b.png'))
      },
      opens: [8, 8, 2],
      tells: [/2 files in class folders ignored: 2 broken links/],
    },
    {
      name: 'linked files and class folders',
      make(write, directory) {
        folders(write, ['all'])
        for (const split of ['set/train', 'set/test']) {
          mkdirSync(join(directory, split, 'dog'), { recursive: true })
          symlinkSync(join(directory, 'all/cat'), join(directory, split, 'cat'))
          symlinkSync(join(directory, 'all/dog/0.png'), join(directory, split, 'dog/0.png'))
        }
        return '/set'
      },
      opens: [5, 5, 2],
    },
    {
      name: 'an empty image',
      make(write) {
        folders(write, both)
        write('train/cat/z.png', '')
      },
      fails: /train\/cat\/z\.png: it cannot be decoded \(it is empty\)/,
    },
    {
      name: 'a Git LFS pointer in place of an image',
      make(write) {
        folders(write, both)
        write(
          'train/cat/z.png',
          'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
        )
      },
      fails: /z\.png: it cannot be decoded \(it is a pointer of Git LFS/,
    },
    {
      name: 'a web page in place of an image',
      make(write) {
        folders(write, both)
        write('train/cat/z.png', '\n<!DOCTYPE html><html>404</html>')
      },
      fails: /z\.png: it cannot be decoded \(it is a web page/,
    },
    {
      name: 'corrupt images that are skipped',
      make(write) {
        folders(write, both, { extension: 'jpg' })
        for (let i = 0; i < 12; i++) write(`train/cat/z${i}.jpg`, images.jpg[0]!.subarray(0, 200))
      },
      options: { corrupt: 'skip' },
      opens: [8, 8, 2],
      tells: [...Array<RegExp>(10).fill(/; skipped$/), /^12 of 20 images cannot be decoded/],
    },
    {
      name: 'a class whose images are all skipped',
      make(write) {
        folders(write, both)
        write('train/fox/0.png', 'no image')
      },
      options: { corrupt: 'skip' },
      fails: /1 of 3 classes has no training images: "fox"/,
    },
    {
      name: 'an image that is too large',
      make(write) {
        folders(write, both)
        write('train/cat/large.pgm', 'P5 16000 16000 255\n')
      },
      fails: /its 16000x16000 pixels are more than 100 megapixels\); .*--max-megapixels/,
    },
    {
      name: 'an image that is too large, with the limit raised',
      make(write) {
        folders(write, both)
        write('train/cat/large.pgm', 'P5 16000 16000 255\n')
      },
      options: { maxMegapixels: 300 },
      fails: /PNM is truncated/,
    },
    {
      name: 'a drawing that is called an image',
      make(write) {
        folders(write, both)
        write('train/cat/x.png', '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>')
      },
      fails: /it is a drawing \(SVG\)/,
    },
    ...['train\\cat\\1.png', 'train/cat\\1.png'].map((name) => ({
      name: `a file called ${name}`,
      make: (write: Write) => write(name, images.png[0]!),
      fails: /backslashes in the names of its files, such as .*cat\\1\.png/,
    })),
    {
      name: 'a class that is still in an archive',
      make(write) {
        folders(write, both)
        write('train/bird.zip', 'PK')
      },
      opens: [8, 8, 2],
      tells: [/train: 1 archive not unpacked and ignored: bird\.zip/],
    },
    ...Object.entries({
      '\0\0\0\x18ftypheic': 'it is HEIC',
      '\0\0\0\x18ftypmp42': 'it is a video',
      '%PDF-1.4': 'it is a PDF',
      '{"message":"not found"}': 'it is JSON',
      '<?xml version="1.0"?>': 'it is XML',
      [`${'\0'.repeat(70)}`]: 'it begins with zeros',
      nothing: 'it begins like no image that is read',
    }).map(([content, cause]) => ({
      name: `${JSON.stringify(content.slice(0, 12))} in place of an image`,
      make(write: Write) {
        folders(write, both)
        write('train/cat/z.png', content)
      },
      fails: new RegExp(`z\\.png: it cannot be decoded \\(${cause}`),
    })),
  ])
})
