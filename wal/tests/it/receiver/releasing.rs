//! A receiver removes of its log what its driver has let go, and nothing else.

use headwater_wal::{Kind, Position, Reader, Time};

use super::{Scene, send, settle};

/// A receiver with some segments of blocks that were taken, and the positions of these.
fn with_segments(scene: &Scene) -> Vec<Position> {
    let receiver = scene.start();
    send(&receiver, 0, 0..1500);
    scene.pass(1000);
    settle(&receiver);
    assert!(receiver.log().chain().segments().len() > 3);
    scene.book().taken.iter().map(|block| block.handle.position()).collect()
}

#[test]
fn nothing_goes_that_the_driver_has_not_released() {
    let scene = Scene::new();
    let blocks = with_segments(&scene);
    let receiver = scene.start();
    let before = receiver.log().range();
    assert_eq!(receiver.release(Time::MAX).unwrap().removed, 0);
    assert_eq!(receiver.log().range().start, before.start);

    let middle = blocks[blocks.len() / 2];
    scene.book().released = middle;
    // What is not old enough stays too.
    assert_eq!(receiver.release(Time(0)).unwrap().removed, 0);
    let retired = receiver.release(Time::MAX).unwrap();
    assert!(retired.removed > 0 && retired.begins > before.start && retired.begins <= middle, "{retired:?}");
    let reader = Reader::open(scene.process.store()).unwrap();
    for block in scene.book().taken.iter().filter(|block| block.handle.position() >= middle) {
        assert!(reader.read(&block.handle).is_ok());
    }
    // It goes on.
    send(&receiver, 0, 1500..1600);
    scene.pass(1000);
    settle(&receiver);
    assert_eq!(scene.safe(0), 1600);
}

#[test]
fn what_is_not_settled_stays_whatever_the_driver_says() {
    let scene = Scene::new();
    let blocks = with_segments(&scene);
    let receiver = scene.start();
    scene.book().has_room = false;
    send(&receiver, 0, 1500..1560);
    scene.pass(1000);
    settle(&receiver);
    scene.book().released = receiver.log().range().end;
    let begins = receiver.release(Time::MAX).unwrap().begins;
    assert!(begins <= *blocks.last().unwrap(), "{begins:?}");
    scene.book().has_room = true;
    while scene.safe(0) < 1560 {
        scene.pass(1000);
        settle(&receiver);
    }
}

#[test]
fn a_driver_that_is_away_lets_nothing_go() {
    let scene = Scene::new();
    let blocks = with_segments(&scene);
    let receiver = scene.start();
    scene.book().released = *blocks.last().unwrap();
    scene.book().away = 1;
    assert_eq!(receiver.release(Time::MAX).unwrap_err().kind(), Kind::Unavailable);
    scene.book().answers_lost = 1;
    assert_eq!(receiver.release(Time::MAX).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(receiver.log().range().start, Position::START);
    assert!(receiver.release(Time::MAX).unwrap().removed > 0);
}
