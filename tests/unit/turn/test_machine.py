"""The turn machine, one story a test. Times are seconds on a clock the test owns."""

from __future__ import annotations

from voicegw.base.ids import UtteranceId
from voicegw.turn import commands as c
from voicegw.turn import events as e
from voicegw.turn.machine import TurnConfig, TurnMachine
from voicegw.turn.states import TurnState

U1 = UtteranceId("u1")


def machine(no_input_ms: int = 5000, *, patient: bool = False) -> TurnMachine:
    turn = TurnMachine(TurnConfig())
    turn.handle(e.ListeningChanged(no_input_ms, patient), 0.0)
    return turn


def speaking(*, interruptible: bool = True) -> TurnMachine:
    turn = machine()
    turn.handle(e.ReplyStarted(), 0.0)
    turn.handle(e.UtteranceStarted(U1, interruptible), 0.1)
    assert turn.state is TurnState.SPEAKING
    return turn


def kinds(commands: list[c.TurnCommand]) -> list[type]:
    return [type(command) for command in commands]


def test_a_turn_ends_after_the_silence_counted_from_the_speech() -> None:
    turn = machine()
    assert kinds(turn.handle(e.SpeechStarted(1.0, False), 1.06)) == [c.BeginRecognition]
    turn.handle(e.SpeechStopped(2.0), 2.2)
    assert turn.get_timer() == 2.65
    assert turn.handle_timer(2.64) == []
    assert turn.handle_timer(2.65) == [c.FinishRecognition(2.0, waited_ms=650)]
    assert turn.state is TurnState.THINKING


def test_a_complete_answer_ends_the_turn_earlier() -> None:
    turn = machine()
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    turn.handle(e.SpeechStopped(2.0), 2.2)
    turn.handle(e.PartialHeard("yes", complete=True), 2.25)
    assert turn.get_timer() == 2.4


def test_a_dictated_number_gets_patience_until_it_is_complete() -> None:
    turn = machine(patient=True)
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    turn.handle(e.PartialHeard("four two seven", complete=False), 1.9)
    turn.handle(e.SpeechStopped(2.0), 2.2)
    assert turn.get_timer() == 3.3
    turn.handle(e.PartialHeard("four two seven one nine six", complete=True), 2.3)
    assert turn.get_timer() == 2.4


def test_a_pause_inside_a_sentence_keeps_the_turn() -> None:
    turn = machine()
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    turn.handle(e.SpeechStopped(2.0), 2.2)
    assert kinds(turn.handle(e.SpeechStarted(2.4, False), 2.46)) == [c.BeginRecognition]
    assert turn.state is TurnState.CALLER_SPEAKING


def test_words_confirm_a_barge_in_once_they_have_settled() -> None:
    turn = speaking()
    assert kinds(turn.handle(e.SpeechStarted(1.0, True), 1.06)) == [c.BeginRecognition]
    assert turn.state is TurnState.YIELDED
    assert turn.handle(e.PartialHeard("wait", complete=False), 1.3) == [], "it may still become another word"
    assert turn.get_timer() == 2.2
    assert turn.handle_timer(2.2) == [c.CutPlayout(c.CutReason.SPEECH)]
    assert turn.state is TurnState.CALLER_SPEAKING


def test_long_speech_without_words_confirms_by_deadline() -> None:
    turn = speaking()
    turn.handle(e.SpeechStarted(1.0, True), 1.06)
    assert turn.get_timer() == 2.2
    assert turn.handle_timer(2.2) == [c.CutPlayout(c.CutReason.SPEECH)]


def test_a_cough_pauses_and_resumes() -> None:
    turn = speaking()
    turn.handle(e.SpeechStarted(1.0, True), 1.06)
    turn.handle(e.SpeechStopped(1.3), 1.5)
    assert turn.state is TurnState.DECIDING
    timer = turn.get_timer()
    assert timer is not None
    assert kinds(turn.handle_timer(timer)) == [c.DropRecognition, c.ResumePlayout]
    assert turn.state is TurnState.SPEAKING


def test_a_back_channel_does_not_stop_the_agent() -> None:
    turn = speaking()
    turn.handle(e.SpeechStarted(1.0, True), 1.06)
    assert turn.handle(e.PartialHeard("okay", complete=False), 1.25) == []
    assert kinds(turn.handle(e.SpeechStopped(1.3), 1.5)) == [c.DropRecognition, c.ResumePlayout]
    assert turn.state is TurnState.SPEAKING


def test_murmuring_on_and_on_is_the_beginning_of_something() -> None:
    turn = speaking()
    turn.handle(e.SpeechStarted(1.0, True), 1.06)
    turn.handle(e.PartialHeard("okay okay", complete=False), 1.4)
    assert turn.handle_timer(2.2) == []
    assert turn.get_timer() == 2.5
    assert turn.handle_timer(2.5) == [c.CutPlayout(c.CutReason.SPEECH)]


def test_a_yes_that_answers_the_question_is_no_back_channel() -> None:
    turn = speaking()
    turn.handle(e.SpeechStarted(1.0, True), 1.06)
    turn.handle(e.PartialHeard("yes", complete=True), 1.3)
    assert kinds(turn.handle(e.SpeechStopped(1.3), 1.5)) == [c.CutPlayout, c.Speculate]


def test_a_first_guess_that_becomes_an_okay_does_not_stop_the_agent() -> None:
    turn = speaking()
    turn.handle(e.SpeechStarted(1.0, True), 1.06)
    turn.handle(e.PartialHeard("over", complete=False), 1.2)
    turn.handle(e.PartialHeard("okay", complete=False), 1.4)
    assert kinds(turn.handle(e.SpeechStopped(1.35), 1.55)) == [c.DropRecognition, c.ResumePlayout]


def test_a_recogniser_that_has_nothing_more_to_say_of_a_cough_ends_the_wait() -> None:
    turn = speaking()
    turn.handle(e.SpeechStarted(1.0, True), 1.06)
    assert turn.handle(e.SpeechStopped(1.35), 1.55) == [c.AskForFinal()]
    assert kinds(final(turn, "", 1.6)) == [c.DropRecognition, c.ResumePlayout]


def final(turn: TurnMachine, text: str, now: float) -> list[c.TurnCommand]:
    """The recogniser's last word on a sound that has ended."""
    assert turn.state is TurnState.DECIDING
    return turn.handle(e.PartialHeard(text, complete=False, final=True), now)


def murmured(finished_at: float) -> list[c.TurnCommand]:
    turn = speaking()
    turn.handle(e.SpeechStarted(1.0, True), 1.06)
    turn.handle(e.PartialHeard("yes", complete=False), 1.3)
    turn.handle(e.SpeechStopped(1.3), 1.5)
    return turn.handle(e.UtteranceFinished(), finished_at)


def test_a_yes_over_the_last_word_of_the_agent_is_an_answer() -> None:
    assert murmured(2.0) == [c.TakeBackChannel("yes", 1.3)]


def test_a_yes_in_the_middle_of_a_long_explanation_is_none() -> None:
    assert murmured(4.0) == []


def test_back_channels_are_those_of_the_language() -> None:
    turn = speaking()
    turn.handle(e.LanguageChanged("de-DE"), 0.2)
    turn.handle(e.SpeechStarted(1.0, True), 1.06)
    turn.handle(e.SpeechStopped(1.3), 1.5)
    assert kinds(final(turn, "genau", 1.55)) == [c.DropRecognition, c.ResumePlayout]


def test_a_word_that_is_there_when_the_sound_ends_decides_at_once() -> None:
    turn = speaking()
    turn.handle(e.SpeechStarted(1.0, True), 1.06)
    turn.handle(e.PartialHeard("stop", complete=False), 1.3)
    assert kinds(turn.handle(e.SpeechStopped(1.3), 1.5)) == [c.CutPlayout, c.Speculate]


def test_a_reply_is_prepared_at_the_first_likely_end_and_again_when_the_words_change() -> None:
    turn = machine()
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    assert turn.handle(e.SpeechPaused(1.4), 1.5) == [], "nothing was understood yet"
    turn.handle(e.PartialHeard("i would like", complete=False), 1.6)
    assert turn.handle(e.SpeechPaused(2.0), 2.15) == [c.Speculate()]
    assert turn.handle(e.SpeechStopped(2.0), 2.3) == [c.AskForFinal(), c.Speculate()]
    assert turn.handle(e.PartialHeard("i would like a room", complete=False), 2.4) == [c.Speculate()]


def test_no_reply_is_prepared_to_half_a_number() -> None:
    turn = machine(patient=True)
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    turn.handle(e.PartialHeard("four two seven", complete=False), 1.9)
    assert turn.handle(e.SpeechPaused(2.0), 2.15) == []
    assert turn.handle(e.SpeechStopped(2.0), 2.3) == [c.AskForFinal()]
    assert turn.handle(e.PartialHeard("four two seven one", complete=True), 2.4) == [c.Speculate()]


def test_pauses_inside_turns_are_learned() -> None:
    turn = machine()
    now = 1.0
    for _ in range(4):
        turn.handle(e.SpeechStarted(now, False), now + 0.06)
        turn.handle(e.SpeechStopped(now + 0.5), now + 0.7)
        now += 1.1
    assert kinds(turn.handle(e.SpeechStarted(now, False), now + 0.06)) == [c.BeginRecognition]
    turn.handle(e.SpeechStopped(now + 0.5), now + 0.7)
    timer = turn.get_timer()
    assert timer is not None
    assert timer - (now + 0.5) > 0.69, "one who pauses 600 ms is waited for longer than the ordinary 650"


def test_a_model_that_hears_the_end_shortens_the_wait_of_this_silence_only() -> None:
    turn = machine()
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    turn.handle(e.SpeechStopped(2.0), 2.2)
    turn.handle(e.EndOfTurnGuessed(1.0), 2.22)
    assert turn.get_timer() == 2.25
    turn.handle(e.SpeechStarted(2.24, False), 2.24)
    turn.handle(e.SpeechStopped(3.0), 3.2)
    assert turn.get_timer() == 3.65


def test_a_short_word_heard_late_still_confirms() -> None:
    turn = speaking()
    turn.handle(e.SpeechStarted(1.0, True), 1.06)
    turn.handle(e.SpeechStopped(1.3), 1.5)
    assert kinds(final(turn, "stop", 1.6)) == [c.CutPlayout, c.Speculate]
    assert turn.state is TurnState.ENDPOINTING


def test_playout_is_paused_here_when_the_worker_had_not_done_it() -> None:
    assert kinds(speaking().handle(e.SpeechStarted(1.0, False), 1.06)) == [c.PausePlayout, c.BeginRecognition]


def test_a_protected_utterance_is_not_interrupted_and_the_words_after_it_are_a_turn() -> None:
    turn = speaking(interruptible=False)
    assert turn.handle(e.SpeechStarted(1.0, False), 1.06) == []
    assert turn.state is TurnState.SPEAKING
    assert kinds(turn.handle(e.UtteranceFinished(), 1.5)) == [c.BeginRecognition]
    assert turn.state is TurnState.CALLER_SPEAKING


def test_speech_before_the_reply_is_audible_takes_the_floor_back() -> None:
    turn = machine()
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    turn.handle(e.SpeechStopped(2.0), 2.2)
    turn.handle_timer(2.7)
    assert kinds(turn.handle(e.SpeechStarted(2.75, False), 2.8)) == [c.DropReply, c.BeginRecognition]
    assert turn.state is TurnState.CALLER_SPEAKING


def test_hello_before_the_greeting_does_not_cut_it_but_a_whole_sentence_does() -> None:
    turn = machine()
    turn.handle(e.ReplyStarted(), 0.0)
    assert turn.handle(e.SpeechStarted(0.05, False), 0.1) == []
    turn.handle(e.UtteranceStarted(U1, True), 0.2)
    assert turn.get_timer() == 0.2 + 0.95
    turn.handle(e.SpeechStopped(0.4), 0.6)
    assert turn.get_timer() is None
    turn.handle(e.SpeechStarted(0.9, False), 0.95)
    assert turn.state is TurnState.YIELDED


def looking_up() -> TurnMachine:
    """The agent said "one moment", and what it looks up is not there yet."""
    turn = speaking()
    turn.handle(e.UtteranceFinished(), 0.8)
    turn.handle(e.ReplyStarted(), 0.8)
    assert turn.state is TurnState.LISTENING
    return turn


def test_who_speaks_while_the_agent_looks_something_up_is_heard_and_not_talked_over() -> None:
    turn = looking_up()
    assert kinds(turn.handle(e.SpeechStarted(1.0, False), 1.06)) == [c.PausePlayout, c.BeginRecognition]
    assert turn.state is TurnState.YIELDED
    turn.handle(e.PartialHeard("never mind", complete=False), 1.4)
    assert turn.handle_timer(2.2) == [c.CutPlayout(c.CutReason.SPEECH)]
    assert turn.state is TurnState.CALLER_SPEAKING
    turn.handle(e.SpeechStopped(2.6), 2.8)
    assert kinds(turn.handle_timer(3.25)) == [c.FinishRecognition]


def test_a_cough_while_the_agent_looks_something_up_leaves_it_at_that() -> None:
    turn = looking_up()
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    turn.handle(e.SpeechStopped(1.2), 1.4)
    timer = turn.get_timer()
    assert timer is not None
    assert kinds(turn.handle_timer(timer)) == [c.DropRecognition, c.ResumePlayout]
    assert turn.state is TurnState.LISTENING
    assert turn.get_timer() == timer + 2.3, "the wait is bridged as before"
    turn.handle(e.UtteranceStarted(U1, True), 3.0)
    assert turn.state is TurnState.SPEAKING


def test_a_key_while_a_murmur_is_judged_over_nothing_lets_the_reply_be_heard() -> None:
    turn = looking_up()
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    assert kinds(turn.handle(e.KeyPressed(), 1.2)) == [c.DropRecognition, c.ResumePlayout]
    assert turn.state is TurnState.LISTENING


def test_an_utterance_that_ends_while_a_cough_is_judged_leaves_nobody_waiting() -> None:
    turn = speaking()
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    turn.handle(e.UtteranceFinished(), 1.07)
    turn.handle(e.SpeechStopped(1.2), 1.4)
    timer = turn.get_timer()
    assert timer is not None
    turn.handle_timer(timer)
    assert turn.state is TurnState.LISTENING
    assert turn.get_timer() == timer + 5.0, "then the caller is asked"


def test_a_late_reply_is_bridged_again_and_again() -> None:
    turn = machine()
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    turn.handle(e.SpeechStopped(2.0), 2.2)
    turn.handle_timer(2.7)
    for _ in range(3):
        timer = turn.get_timer()
        assert timer is not None
        assert turn.handle_timer(timer) == [c.ReplyLate()]


def test_silence_prompts_and_noise_does_not_postpone_it_for_ever() -> None:
    turn = machine(no_input_ms=3000)
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    turn.handle(e.SpeechStopped(1.2), 1.4)
    turn.handle_timer(1.9)
    turn.handle(e.ReplyEmpty(), 1.95)
    assert turn.state is TurnState.LISTENING
    assert turn.get_timer() == 1.95 + 1.5
    assert turn.handle_timer(3.45) == [c.PromptNoInput()]


def test_endless_noise_ends_the_turn_by_deadline() -> None:
    turn = machine()
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    assert turn.get_timer() == 21.0
    assert turn.handle_timer(21.0) == [c.FinishRecognition(21.0, waited_ms=0)]


def test_a_key_cuts_the_agent_off() -> None:
    turn = speaking()
    assert turn.handle(e.KeyPressed(), 1.0) == [c.CutPlayout(c.CutReason.KEYPAD)]
    assert turn.state is TurnState.LISTENING


def test_complete_keys_end_the_turn_whatever_the_line_sounds_like() -> None:
    turn = machine()
    turn.handle(e.SpeechStarted(1.0, False), 1.06)
    assert turn.handle(e.TurnSettled(), 1.5) == [c.DropRecognition()]
    assert turn.state is TurnState.THINKING


def test_suspension_silences_the_agent_and_ends_with_resumption() -> None:
    turn = speaking()
    assert kinds(turn.handle(e.AgentSuspended(), 1.0)) == [c.CutPlayout, c.DropRecognition]
    turn.handle(e.SpeechStarted(1.2, False), 1.3)
    turn.handle(e.SpeechStopped(1.4), 1.6)
    assert turn.state is TurnState.SUSPENDED
    turn.handle(e.AgentResumed(), 2.0)
    assert turn.state is TurnState.LISTENING


def test_half_of_a_back_channel_is_waited_for() -> None:
    turn = speaking()
    turn.handle(e.SpeechStarted(1.0, True), 1.06)
    turn.handle(e.PartialHeard("of", complete=False), 1.3)
    assert turn.handle_timer(2.2) == [], "it may become 'of course'"
    turn.handle(e.SpeechStopped(2.1), 2.3)
    assert kinds(final(turn, "of course", 2.4)) == [c.DropRecognition, c.ResumePlayout]


def test_a_word_that_stays_the_half_of_one_is_a_word() -> None:
    turn = speaking()
    turn.handle(e.SpeechStarted(1.0, True), 1.06)
    turn.handle(e.PartialHeard("go", complete=False), 1.3)
    assert turn.handle(e.SpeechStopped(1.4), 1.6) == [c.AskForFinal()]
    timer = turn.get_timer()
    assert timer is not None
    assert kinds(turn.handle_timer(timer)) == [c.CutPlayout, c.Speculate]
