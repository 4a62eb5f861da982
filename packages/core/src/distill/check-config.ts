// Checks of what training and inference graphs are configured by, before anything is traced.
import { checkInteger, checkName, checkNumber, fail } from '../check.js'
import { rematerialisations } from '../graph/graph.js'
import { checkModel, isClassifier, type ViTConfig } from '../nn/vit.js'
import { checkSchedule } from '../optim/schedules.js'
import { precisions, type ImageShape, type TrainConfig } from './config.js'
import { methodDefinition, methodName, unlabelledMethods } from './methods.js'
import type { PresetSettings } from './settings.js'
import type { StoredOutput, TeacherSource, WeightedTeacher } from './teachers.js'

/** @throws UserError that names the first field of a training configuration with a value that makes no sense. */
export function checkTrainConfig(config: TrainConfig): void {
  const { student, batch, microBatch, images, teacher, settings, optimizer } = config
  const { precision = 'float32', rematerialise } = config
  const { needsLabels, relational = false } = methodDefinition(config.method)
  const name = methodName(config.method)
  checkModel(student)
  if (needsLabels && !isClassifier(student))
    fail(
      `${name} needs class labels, but the student has no classifier`,
      `give the student \`classes\`, or choose a method that needs no labels: ${unlabelledMethods.join(', ')}`,
    )
  checkImages(batch, images, student)
  if (microBatch !== undefined) checkInteger('microBatch', microBatch, 1, batch)
  if (relational && batch < 2)
    fail(
      `${name} compares the images of a batch, but a batch has ${batch}`,
      'choose a batch of at least 2',
    )
  if (relational && microBatch !== undefined && microBatch < batch)
    fail(
      `${name} compares all ${batch} images of a batch, which micro-batches of ${microBatch} cannot`,
      'leave out microBatch (--micro-batch), or choose a method that judges each image by itself, such as cosine-kd',
    )
  if (teacher) checkTeacher(teacher, images)
  checkSettings(settings)
  checkNumber('optimizer: learningRate', optimizer.learningRate, { least: 0 })
  checkNumber('optimizer: weightDecay', optimizer.weightDecay, { least: 0 })
  checkNumber('optimizer: beta1', optimizer.beta1, { least: 0, most: 1, open: 'most' })
  checkNumber('optimizer: beta2', optimizer.beta2, { least: 0, most: 1, open: 'most' })
  checkNumber('optimizer: epsilon', optimizer.epsilon, { least: 0, open: 'least' })
  checkSchedule(config.schedule)
  checkName('precision', precision, precisions)
  if (rematerialise !== undefined) checkName('rematerialise', rematerialise, rematerialisations)
}

/** @throws UserError unless a number of images and their shape make sense for a model. */
export function checkImages(batch: number, { channels, size }: ImageShape, model: ViTConfig): void {
  checkInteger('batch', batch)
  checkInteger('images: channels', channels)
  checkInteger('images: size', size)
  if (channels !== 1 && channels !== model.channels)
    fail(
      `images of ${channels} channels do not fit a model that sees ${model.channels}`,
      `give images of ${model.channels} channels, or of one that stands for all`,
    )
}

function checkTeacher(teacher: TeacherSource, images: ImageShape): void {
  checkName('teacher: kind', teacher.kind, ['live', 'stored', 'several'])
  if (teacher.kind === 'live') {
    const { model } = teacher
    checkModel(model)
    checkImages(1, images, model)
  } else if (teacher.kind === 'stored') checkStored('teacher', teacher)
  else checkTeachers(teacher.teachers)
}

function checkStored(name: string, { width, prototypes }: StoredOutput): void {
  checkInteger(`${name}: width`, width)
  if (prototypes !== undefined) checkInteger(`${name}: prototypes`, prototypes)
}

function checkTeachers(teachers: readonly WeightedTeacher[]): void {
  if (teachers.length === 0) fail('there is no teacher in the list', 'give one teacher or more')
  teachers.forEach((teacher, i) => {
    const { name, weight = 1 } = teacher
    if (!/^[\w-]+$/.test(name))
      fail(`teacher ${JSON.stringify(name)} cannot be told apart in a graph`, NAME_REMEDY)
    if (teachers.findIndex((other) => other.name === name) < i)
      fail(`two teachers are called ${name}`, 'give each teacher a name of its own')
    checkStored(`teacher ${name}`, teacher)
    checkNumber(`teacher ${name}: weight`, weight, { least: 0, open: 'least' })
  })
}

const NAME_REMEDY = 'name it with letters, digits, dashes and underscores'

function checkSettings(settings: PresetSettings): void {
  checkName('settings: classScores', settings.classScores, ['logits', 'probabilities'])
  checkName('settings: logitScale', settings.logitScale, ['none', 'learned'])
  checkName('settings: sameClass', settings.sameClass, ['positive', 'negative'])
  checkName('settings: decay', settings.decay, ['all', 'matrices'])
  checkName('settings: schedule', settings.schedule, ['constant', 'cosine'])
  checkTemperature(settings.temperature)
  checkNumber('settings: kdWeight', settings.kdWeight, { least: 0 })
}

/** @throws UserError unless a temperature is a number above 0. */
export const checkTemperature = (temperature: number): void =>
  checkNumber('temperature', temperature, { least: 0, open: 'least' })
