SELECT "each"."place", count(*) AS "count_1" 
FROM (SELECT CASE WHEN ("logs"."predictions"."ts" < TIMESTAMP '2013-04-01 11:00:00 UTC') THEN 0 ELSE CASE WHEN ("logs"."predictions"."ts" < TIMESTAMP '2013-04-01 12:00:00 UTC') THEN 1 ELSE 2 END END AS "place" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."day" >= DATE '2013-03-31' AND "logs"."predictions"."day" < DATE '2013-04-03' AND "logs"."predictions"."ts" >= TIMESTAMP '2013-04-01 10:00:00 UTC' AND "logs"."predictions"."ts" < TIMESTAMP '2013-04-01 13:00:00 UTC') AS "each" GROUP BY "each"."place";

