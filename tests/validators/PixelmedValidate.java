// PixelMed's SR and IOD validators over many files, on all cores: their style sheets are compiled once a thread.
//   java -cp /usr/share/java/pixelmed.jar PixelmedValidate.java FILE...
import com.pixelmed.dicom.Attribute;
import com.pixelmed.dicom.AttributeList;
import com.pixelmed.dicom.SOPClass;
import com.pixelmed.dicom.TagFromName;
import com.pixelmed.validate.DicomInstanceValidator;
import com.pixelmed.validate.DicomSRValidator;
import java.util.Arrays;
import java.util.stream.Collectors;

public class PixelmedValidate {
    static final ThreadLocal<DicomSRValidator> REPORTS = new ThreadLocal<>();
    static final ThreadLocal<DicomInstanceValidator> OTHERS = new ThreadLocal<>();

    public static void main(String[] files) {
        System.out.print(Arrays.stream(files).parallel().map(PixelmedValidate::said).collect(Collectors.joining("\n")));
    }

    static String said(String file) {
        String found;
        try {
            AttributeList list = new AttributeList();
            list.read(file, TagFromName.PixelData);
            String kind = Attribute.getSingleStringValueOrEmptyString(list, TagFromName.SOPClassUID);
            found = SOPClass.isStructuredReport(kind) ? report(file) : other(list);
        } catch (Exception fault) {
            found = "Error: the validator threw " + fault;
        }
        return "== " + file + "\n" + found;
    }

    static String report(String file) throws Exception {
        if (REPORTS.get() == null) REPORTS.set(new DicomSRValidator());
        return REPORTS.get().validate(file);
    }

    static String other(AttributeList list) throws Exception {
        if (OTHERS.get() == null) OTHERS.set(new DicomInstanceValidator());
        return OTHERS.get().validate(list);
    }
}
