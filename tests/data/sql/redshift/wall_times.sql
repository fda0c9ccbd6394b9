SELECT "each"."place", count(*) AS "count_1" 
FROM (SELECT CASE WHEN ("logs"."predictions"."naive" < '2013-04-01 07:00:00'::timestamp) THEN 0 ELSE CASE WHEN ("logs"."predictions"."naive" < '2013-04-01 08:00:00'::timestamp) THEN 1 ELSE 2 END END AS "place" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."naive" >= '2013-04-01 06:00:00'::timestamp AND "logs"."predictions"."naive" < '2013-04-01 09:00:00'::timestamp) AS "each" GROUP BY "each"."place";

