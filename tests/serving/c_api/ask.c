/* Asks a SavedModel for the mask of an encoded image through TensorFlow's C API alone.
 *
 *   ask MODEL INPUT INPUT_INDEX OUTPUT OUTPUT_INDEX IMAGE
 *
 * INPUT and OUTPUT are operations of the signature, as the SavedModel names them.  The mask's bytes go to standard output.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

static void check(TF_Status* status, const char* what) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s: %s\n", what, TF_Message(status));
  exit(1);
}

static TF_Output operation(TF_Graph* graph, const char* name, const char* index) {
  TF_Output output = {TF_GraphOperationByName(graph, name), atoi(index)};
  if (output.oper == NULL) {
    fprintf(stderr, "the graph has no operation %s\n", name);
    exit(1);
  }
  return output;
}

static TF_Tensor* batch_of(const char* path) {
  FILE* file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  char* bytes = malloc(size);
  if (fread(bytes, 1, size, file) != (size_t)size) exit(1);
  fclose(file);

  int64_t shape[] = {1};
  TF_Tensor* tensor = TF_AllocateTensor(TF_STRING, shape, 1, sizeof(TF_TString));
  TF_TString* text = TF_TensorData(tensor);
  TF_StringInit(text);
  TF_StringCopy(text, bytes, size);
  free(bytes);
  return tensor;
}

int main(int count, char** arguments) {
  if (count != 7) return 2;
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  const char* tags[] = {"serve"};
  TF_Session* session =
      TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), NULL, arguments[1], tags, 1, graph, NULL, status);
  check(status, "loading the SavedModel");

  TF_Output input = operation(graph, arguments[2], arguments[3]);
  TF_Output output = operation(graph, arguments[4], arguments[5]);
  TF_Tensor* image = batch_of(arguments[6]);
  TF_Tensor* mask = NULL;
  TF_SessionRun(session, NULL, &input, &image, 1, &output, &mask, 1, NULL, 0, NULL, status);
  check(status, "running the signature");

  const TF_TString* bytes = TF_TensorData(mask);
  fwrite(TF_StringGetDataPointer(bytes), 1, TF_StringGetSize(bytes), stdout);
  return 0;
}
