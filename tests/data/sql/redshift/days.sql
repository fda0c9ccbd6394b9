SELECT "each"."place", count(*) AS "count_1" 
FROM (SELECT CASE WHEN ("logs"."predictions"."ts" < '2013-04-01 11:00:00+00:00'::timestamptz) THEN 0 ELSE CASE WHEN ("logs"."predictions"."ts" < '2013-04-01 12:00:00+00:00'::timestamptz) THEN 1 ELSE 2 END END AS "place" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."day" >= '2013-03-31'::date AND "logs"."predictions"."day" < '2013-04-03'::date AND "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::timestamptz AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::timestamptz) AS "each" GROUP BY "each"."place";

