"""Segment's library for Java as people have it, pointed at the edge by its `endpoint`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.interop import java
from tests.interop.calls import AT_MS, Person, Troubles, check_calls
from tests.interop.edge import Edge
from tests.interop.front import Front

pytestmark = pytest.mark.broker

PROGRAM = """
import com.segment.analytics.Analytics;
import com.segment.analytics.Callback;
import com.segment.analytics.messages.*;
import com.segment.backo.Backo;
import java.lang.reflect.Field;
import java.util.*;
import java.util.concurrent.*;

public class Main {
  static final Map<String, String> outcome = new ConcurrentSkipListMap<>();

  static Analytics client(String endpoint, String key, CountDownLatch done) {
    return Analytics.builder(key).endpoint(endpoint).flushInterval(1, TimeUnit.SECONDS).callback(new Callback() {
      public void success(Message message) { outcome.put(message.messageId(), "sent"); done.countDown(); }
      public void failure(Message message, Throwable error) {
        outcome.put(message.messageId(), String.valueOf(error.getMessage()));
        if (!String.valueOf(error.getMessage()).contains("end of stream")) done.countDown();
      }
    }).build();
  }

  // Its first pause is up to half a minute, and not a setting.
  static void beQuick() throws Exception {
    Class<?> task = Class.forName("com.segment.analytics.internal.AnalyticsClient$BatchUploadTask");
    Field backo = task.getDeclaredField("BACKO");
    backo.setAccessible(true);
    Field base = Backo.class.getDeclaredField("base");
    base.setAccessible(true);
    base.setLong(backo.get(null), 100);
  }

  public static void main(String[] args) throws Exception {
    String edge = args[0], front = args[1], key = args[2], user = args[3], old = args[4], group = args[5];
    long at = Long.parseLong(args[6]);
    List<String> people = Arrays.asList(args).subList(7, args.length);
    beQuick();
    Map<String, Object> purchase = Map.of("order_id", "o-1", "amount", 59.9, "currency", "EUR");
    CountDownLatch calls = new CountDownLatch(6), troubles = new CountDownLatch(people.size());
    Analytics analytics = client(edge, key, calls);
    analytics.enqueue(TrackMessage.builder("Purchase Completed").userId(user).properties(purchase)
        .timestamp(new Date(at)).messageId(user + "-1"));
    analytics.enqueue(IdentifyMessage.builder().userId(user)
        .traits(Map.of("plan", "pro", "country", "DE", "email", "ann@example.org")));
    analytics.enqueue(PageMessage.builder("Intro").userId(user).properties(Map.of(
        "path", "/docs", "url", "https://shop.example/docs", "title", "Docs", "category", "Docs")));
    analytics.enqueue(ScreenMessage.builder("Start").userId(user));
    analytics.enqueue(GroupMessage.builder(group).userId(user).traits(Map.of("name", "ACME", "plan", "team")));
    analytics.enqueue(AliasMessage.builder(old).userId(user));
    analytics.flush();
    List<Analytics> others = new ArrayList<>();
    for (String person : people) {
      Analytics other = client(front, key, troubles);
      other.enqueue(TrackMessage.builder("Purchase Completed").userId(person).properties(purchase)
          .messageId(person + "-1"));
      other.flush();
      others.add(other);
    }
    boolean whole = calls.await(60, TimeUnit.SECONDS) && troubles.await(60, TimeUnit.SECONDS);
    analytics.shutdown();
    for (Analytics other : others) other.shutdown();
    for (Map.Entry<String, String> one : outcome.entrySet())
      System.out.println(one.getKey() + "\\t" + one.getValue().replace("\\n", " "));
    System.exit(whole ? 0 : 3);
  }
}
"""


def test_calls_and_troubles(edge: Edge, front: Front, tmp_path: Path) -> None:
    """Each call is in the journal, though it is posted to `/v1/import/` with the key in the body alone; 503, 429 and a
    lost answer are tried again with the same ids; 400 and 413 drop the batch and are reported."""
    person, troubles = Person(), Troubles(front)
    arguments = [edge.url, front.url, edge.key("backend"), person.user, person.old, person.group, str(AT_MS)]
    done = java.run(PROGRAM, tmp_path, *arguments, *troubles.people, seconds=180)
    assert done.returncode == 0, done.stdout + done.stderr
    found = check_calls(edge, person)
    assert (found["PurchaseCompleted"].id, found["PurchaseCompleted"].ms) == (f"{person.user}-1", AT_MS)
    troubles.check(edge)
    outcome = dict(line.split("\t", 1) for line in done.stdout.splitlines())
    assert {outcome[f"{user}-1"] for user in troubles.retried} == {"sent"}
    refusals: list[Any] = [json.loads(outcome[f"{user}-1"]) for user in troubles.dropped]
    assert [refusal["code"] for refusal in refusals] == ["malformed_json", "event_too_large"]
