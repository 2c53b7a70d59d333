// The page of one stage of training: what it shows, and how that is kept up to date.

import { hint } from '../../core/parts.js';
import { ask } from '../../core/api.js';
import { el, replace } from '../../core/dom.js';
import { lossCard, otherCurvesCard } from './curves.js';
import { evaluationCard, noEvaluation } from './evaluation.js';
import { stageFigures } from './figures.js';
import { samplesCard } from './samples.js';

const LOOK_MS = 3000;
const READING_MS = 200;

/** A stage of a run, drawn into `places`: `figures`, `curves`, `evaluation`, `others`, `samples`. */
export class StagePage {
  constructor(run, stage, { places, state, workspace, signal }) {
    Object.assign(this, { run, stage, places, state, workspace, signal });
    this.at = `runs/${run.run}/${encodeURIComponent(stage.stage)}`;
    this.written = stage.metrics_s;
    this.told = null;
    /** What is drawn, as text: drawn anew only when it has changed, so that samples go on playing. */
    this.drawn = {};
  }

  /** Asks for the stage, and draws what has changed. */
  async refresh() {
    this.told = await ask(this.at, {}, this.signal);
    this.showFigures();
    this.showCurves();
    await this.showEvaluation();
    await this.showSamples();
  }

  /** Looks whether the metrics have grown, and only then asks for them. Returns what stops that. */
  follow() {
    let timer = 0;
    const wait = () => {
      timer = setTimeout(look, this.told.read_share < 1 ? READING_MS : LOOK_MS);
    };
    const look = async () => {
      try {
        await this.look();
      } catch (error) {
        if (error.name === 'AbortError' || this.signal.aborted) return;
        this.places.figures.prepend(el('p', { class: 'bad', role: 'status' }, error.message));
      }
      wait();
    };
    wait();
    return () => clearTimeout(timer);
  }

  async look() {
    const { runs } = await ask('runs', {}, this.signal);
    const run = runs.find((one) => one.run === this.run.run);
    const stage = run?.stages.find((one) => one.stage === this.stage.stage);
    const hasChanged =
      stage &&
      (stage.metrics_s !== this.written ||
        this.told.read_share < 1 ||
        stage.is_finished !== this.told.is_finished);
    if (!hasChanged) {
      this.showFigures();
      return;
    }
    this.written = stage.metrics_s;
    await this.refresh();
  }

  showFigures() {
    replace(this.places.figures, stageFigures(this.told));
  }

  showCurves() {
    const { curves } = this.told;
    if (!curves.loss) {
      replace(this.places.curves, hint('No line of training has been written yet.'));
      return;
    }
    const isLog = this.state.scale === 'log';
    replace(this.places.curves, lossCard(this.told, this.stage.stage, isLog));
    replace(this.places.others, otherCurvesCard(curves));
  }

  async showEvaluation() {
    const { evaluations, data } = this.told;
    if (!evaluations.length) {
      replace(this.places.evaluation, noEvaluation());
      return;
    }
    const steps = evaluations.map((one) => one.step);
    const wanted = Number(this.state.eval);
    const step = steps.includes(wanted) ? wanted : steps.at(-1);
    if (!this.changes('evaluation', [step, steps])) return;
    const whole = await ask(`${this.at}/evaluation`, { step }, this.signal);
    const isHere = data.workspace === this.workspace;
    replace(this.places.evaluation, evaluationCard(whole, evaluations, step, isHere));
  }

  async showSamples() {
    if (!this.changes('samples', this.told.sample_steps)) return;
    const { steps } = await ask(`${this.at}/samples`, {}, this.signal);
    replace(this.places.samples, samplesCard(steps, this.at, this.state.steps === 'all'));
  }

  changes(name, value) {
    const text = JSON.stringify(value);
    const isOther = this.drawn[name] !== text;
    this.drawn[name] = text;
    return isOther;
  }
}
